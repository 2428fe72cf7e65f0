//! Checks whether the last sweep held deletions back.

use super::check::{Check, Topic};
use super::service::{ASK_IT, NOT_HERE};
use super::{Doctor, limited};
use crate::domain::finding::Hold;
use crate::jobs::HeldBack;
use crate::text::sentence;

const HELD: Topic = Topic("held-back", "Deletions");

impl Doctor {
    pub(super) async fn held_back(&self) -> Check {
        if self.serving.get().is_none() {
            return HELD.unknown(NOT_HERE, ASK_IT);
        }
        match limited(HeldBack::read(&*self.target.job_records)).await {
            Ok(held) => of_held(held),
            Err(why) => HELD.unknown(sentence(&why), "Fix the check of the queue file first."),
        }
    }
}

fn of_held(last: Option<HeldBack>) -> Check {
    let Some(HeldBack { run, period, by, count }) = last else {
        return HELD.well("No sweep has finished yet.");
    };
    if count == 0 {
        return HELD.well(format!("The last sweep (run {run}) held none back."));
    }
    let reasons: Vec<String> = by.iter().map(|(hold, count)| format!("{count} {}", hold.word())).collect();
    let says = format!("The last sweep (run {run}) held {count} back: {}.", reasons.join(", "));
    // This is how it is configured.
    if by.keys().eq([&Hold::TurnedOff]) {
        return HELD.well(says);
    }
    let mut help: Vec<String> = by.keys().map(|hold| sentence(hold.explain())).collect();
    help.push(format!(
        "kimai-sync sweep --from {} --to {} lists them, and returns the key for those that need confirmation.",
        period.first, period.last
    ));
    HELD.warning(says, help.join(" "))
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use super::super::Health;
    use super::*;
    use crate::reconcile::sweep::Period;

    type Case = (&'static [(Hold, u64)], Health, &'static str);

    #[test]
    fn whatever_is_held_back_is_a_warning_but_what_is_turned_off() {
        let period = Period { first: "2024-09-01".parse().unwrap(), last: "2024-09-30".parse().unwrap() };
        let table: [Case; 6] = [
            (&[], Health::Well, ""),
            (&[(Hold::TurnedOff, 2)], Health::Well, ""),
            (&[(Hold::Unconfirmed, 25)], Health::Warning, "SWEEP_MAX_DELETIONS"),
            (&[(Hold::Exported, 1)], Health::Warning, "invoice"),
            (
                &[(Hold::TurnedOff, 1), (Hold::NoWorkLogs, 3)],
                Health::Warning,
                "no work log at all for the period",
            ),
            (&[(Hold::Recent, 1)], Health::Warning, "kimai-sync sweep --from 2024-09-01 --to 2024-09-30"),
        ];
        for (by, verdict, help) in table {
            let by: BTreeMap<Hold, u64> = by.iter().copied().collect();
            let count = by.values().sum::<u64>().try_into().unwrap();
            let check = of_held(Some(HeldBack { run: 7, period, by: by.clone(), count }));
            assert_eq!(check.verdict, verdict, "{check}");
            assert!(check.help.clone().unwrap_or_default().contains(help), "{check}");
            assert!(by.iter().all(|(hold, count)| check.says.contains(&format!("{count} {}", hold.word()))));
        }
        assert_eq!(of_held(None).verdict, Health::Well);
    }
}
