//! Settings of Kimai that prevent syncing: those in its API, and those inferred from refusals.

use super::check::{Check, Topic};
use super::kimai::SEE_KIMAI;
use super::{Doctor, Refused, asked};
use crate::domain::Code;
use crate::text::many;
use crate::text::sentence;
use crate::trackers::kimai::TimesheetRules;

const RULES: Topic = Topic("rules", "Kimai's settings");

impl Doctor {
    pub(super) async fn rules(&self) -> Check {
        let refused = self.refused().await;
        match asked(self.target.kimai.rules()).await {
            Ok(rules) => of_rules(&rules, &refused),
            Err(fault) => RULES.unknown(sentence(&fault.to_string()), SEE_KIMAI),
        }
    }
}

/// Settings that Kimai's API does not expose, by the code of their refusals, and how to fix them.
const SIGNS: &[(Code, &str, &str)] = &[
    (Code::EmptyDurationRefused, "empty durations are not allowed", "allow empty durations"),
    (Code::DurationTooLong, "long records are not allowed", "raise the limit for long records"),
    (
        Code::PeriodLocked,
        "a period is locked",
        "give the user of the token a role that can write in locked periods (lockdown_override_timesheet)",
    ),
    (Code::BudgetUsedUp, "a budget is used up", "raise the budget, or allow overbooking"),
    (Code::FutureRefused, "times in the future are not allowed", "allow times in the future"),
    (Code::OverlapRefused, "overlapping entries are not allowed", "allow overlapping entries"),
    (
        Code::TrackingMode,
        "the tracking mode does not accept begin and end",
        "set the tracking mode to Default",
    ),
];

/// The tracking mode in which Kimai sets begin and end itself.
const PUNCH: &str = "punch";

fn of_rules(rules: &TimesheetRules, refused: &Refused) -> Check {
    let mut found = Vec::new();
    let mut help = Vec::new();
    let mut severe = false;
    let mut tell = |says: String, fix: &str, trouble: bool| {
        severe |= trouble;
        found.push(says);
        if !help.contains(&fix.to_owned()) {
            help.push(fix.to_owned());
        }
    };
    if !rules.overlapping {
        tell(
            "overlapping entries are not allowed, and all work logs of a day begin at midnight".to_owned(),
            "allow overlapping entries",
            true,
        );
    }
    if !rules.future {
        tell(
            "times in the future are not allowed, so planned leave is entered only on its day".to_owned(),
            "allow times in the future",
            false,
        );
    }
    if rules.tracking_mode == PUNCH {
        tell(
            "the tracking mode is punch, which does not accept begin and end: no work log can be synced"
                .to_owned(),
            "set the tracking mode to Default",
            true,
        );
    }
    for (code, says, fix) in SIGNS {
        if let Some(count) = refused.get(&Some(*code)).filter(|count| **count > 0) {
            tell(format!("{says} ({} parked because of this)", many(*count as u64, "work log")), fix, true);
        }
    }
    if found.is_empty() {
        return RULES.well(
            "Overlapping entries and times in the future are allowed. The settings that Kimai does not expose \
             (empty durations, maximum duration, locked periods, budgets) have not caused any parked work log.",
        );
    }
    let says = sentence(&found.join("; "));
    let help = format!("In Kimai, under System, Settings, Time-tracking: {}.", help.join("; "));
    if severe { RULES.trouble(says, help) } else { RULES.warning(says, help) }
}

#[cfg(test)]
mod tests {
    use super::super::Health;
    use super::*;

    fn expect(check: &Check, verdict: Health, words: &str) {
        assert_eq!(check.verdict, verdict, "{check}");
        assert!(check.to_string().contains(words), "{words:?} is not in {check}");
    }

    #[test]
    fn rules_that_kimai_hides_show_by_what_they_refused() {
        let rules =
            |future, overlapping| TimesheetRules { tracking_mode: "default".into(), future, overlapping };
        let none = Refused::new();
        expect(&of_rules(&rules(true, true), &none), Health::Well, "does not expose");
        expect(&of_rules(&rules(true, false), &none), Health::Trouble, "allow overlapping");
        expect(&of_rules(&rules(false, true), &none), Health::Warning, "allow times in the future");
        let punch = TimesheetRules { tracking_mode: PUNCH.into(), ..rules(true, true) };
        expect(&of_rules(&punch, &none), Health::Trouble, "set the tracking mode to Default");
        let codes = [Code::PeriodLocked, Code::EmptyDurationRefused, Code::NoAccount];
        let refused = codes.into_iter().map(|code| (Some(code), 1)).collect();
        let check = of_rules(&rules(true, true), &refused);
        expect(&check, Health::Trouble, "a period is locked (1 work log parked because of this)");
        expect(&check, Health::Trouble, "allow empty durations; give the user");
    }
}
