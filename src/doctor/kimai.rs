//! Checks of Kimai: whether it answers, whom, what that user may, and which of its settings are in the way.

use jiff::civil::Date;
use jiff::tz::TimeZone;

use super::check::{Check, Topic};
use super::hours::{YEAR, moved_days};
use super::{Asked, Doctor, limited};
use crate::kimai::{CurrentUser, Right, Rights, TimesheetRules, Version};
use crate::words::sentence;

const KIMAI: Topic = Topic("kimai", "Kimai");
const TOKEN: Topic = Topic("token", "Kimai user of the token");
const RIGHTS: Topic = Topic("rights", "Rights in Kimai");
const ZONE: Topic = Topic("zone", "Time zone");
const RULES: Topic = Topic("rules", "Kimai's settings");

/// The first version with tokens like ours, 2.14.0.
const OLDEST: u32 = 21400;
const SEE_KIMAI: &str = "First see to Kimai and the token.";

impl Doctor {
    pub(super) async fn kimai(&self) -> Check {
        of_version(limited(self.patient.kimai.version()).await)
    }

    /// Who the token is.
    pub(super) async fn me<'a>(&self, asked: &'a Asked) -> Result<&'a CurrentUser, String> {
        let me = asked.me.get_or_init(|| limited(self.patient.timesheets.me())).await;
        me.as_ref().map_err(Clone::clone)
    }

    pub(super) async fn token(&self, asked: &Asked) -> Check {
        match limited(self.me(asked)).await {
            Ok(me) => of_user(me),
            Err(why) if refused(&why) => TOKEN.trouble(sentence(&why), NEW_TOKEN),
            Err(why) => TOKEN.unknown(sentence(&why), SEE_KIMAI),
        }
    }

    pub(super) async fn rights(&self, asked: &Asked) -> Check {
        let both = async {
            let me = self.me(asked).await?;
            let rights = self.patient.kimai.rights(me.id).await.map_err(|fault| fault.to_string())?;
            Ok::<_, String>((me, rights))
        };
        match limited(both).await {
            Ok((me, rights)) => of_rights(me, &rights),
            Err(why) => RIGHTS.unknown(sentence(&why), SEE_KIMAI),
        }
    }

    pub(super) async fn zone(&self, asked: &Asked) -> Check {
        let clock = &self.patient.clock;
        match limited(self.me(asked)).await {
            Ok(me) => of_zone(clock.zone(), me, clock.today()),
            Err(why) => ZONE.unknown(sentence(&why), SEE_KIMAI),
        }
    }

    pub(super) async fn rules(&self) -> Check {
        let parked = self.patient.queue.parked().await.unwrap_or_default();
        let reasons: Vec<&str> = parked.iter().map(|(_, why)| why.as_str()).collect();
        match limited(self.patient.kimai.rules()).await {
            Ok(rules) => of_rules(&rules, &reasons),
            Err(why) => RULES.unknown(sentence(&why), SEE_KIMAI),
        }
    }
}

const NEW_TOKEN: &str = "Make a new API token in Kimai, under \"API access\" of an enabled user, and give it to the service (API_TOKEN).";

fn refused(why: &str) -> bool {
    why.contains("401")
}

fn of_version(version: Result<Version, String>) -> Check {
    match version {
        Ok(Version { version, number }) if number != 0 && number < OLDEST => KIMAI.trouble(
            format!("It is of version {version}, which does not know tokens like ours."),
            "Update Kimai to 2.14 or later.",
        ),
        Ok(Version { version, .. }) => KIMAI.well(format!("It answers, version {version}.")),
        Err(why) if refused(&why) => KIMAI.trouble(sentence(&why), NEW_TOKEN),
        Err(why) => KIMAI.trouble(
            sentence(&why),
            "See to it that Kimai runs, and that KIMAI_ENDPOINT is its address, like https://kimai.example.com/api.",
        ),
    }
}

fn is_administrator(me: &CurrentUser) -> bool {
    me.roles.iter().any(|role| role == "ROLE_ADMIN" || role == "ROLE_SUPER_ADMIN")
}

fn of_user(me: &CurrentUser) -> Check {
    let roles = if me.roles.is_empty() { "no role but User".to_owned() } else { me.roles.join(", ") };
    let says = format!("'{}' (user {}), {roles}.", me.username, me.id);
    if is_administrator(me) {
        return TOKEN.well(says);
    }
    let help = format!(
        "Give '{}' the role Administrator in Kimai, unless a role of your own gives it the same rights (see the next line).",
        me.username
    );
    TOKEN.warning(says, help)
}

fn of_rights(me: &CurrentUser, rights: &Rights) -> Check {
    let Rights { view_user, view_other, create_other, edit_other } = rights;
    let by_role = is_administrator(me);
    let mut missing = Vec::new();
    let mut untold = Vec::new();
    let mut taken = Vec::new();
    for (right, name) in [
        (view_other, "view_other_timesheet"),
        (create_other, "create_other_timesheet"),
        (edit_other, "edit_other_timesheet"),
    ] {
        match right {
            Right::Given => {}
            Right::Missing => missing.push(name),
            Right::Taken(what) => taken.push(what.as_str()),
            // Without the right to see them Kimai shows none.
            Right::Untold(_) if by_role => {}
            Right::Untold(_) => untold.push(name),
        }
    }
    // It cannot be tried.
    if !by_role {
        untold.push("delete_other_timesheet");
    }
    if !taken.is_empty() {
        return RIGHTS.trouble(
            format!("What no Kimai takes was taken: {}.", taken.join("; ")),
            "Look at that in Kimai, and put it right. Then see to it that KIMAI_ENDPOINT is the address of a Kimai, with nothing in between that answers in its place.",
        );
    }
    if !missing.is_empty() {
        return RIGHTS.trouble(
            format!("'{}' may not enter hours for others: {} missing.", me.username, missing.join(", ")),
            format!("Give '{}' the role Administrator in Kimai.", me.username),
        );
    }
    if !untold.is_empty() {
        return RIGHTS.warning(
            format!(
                "Whether '{}' has {} does not show: its role is none of Kimai's administrators.",
                me.username,
                untold.join(", ")
            ),
            format!("Give '{}' the role Administrator in Kimai, or a role of your own with these rights for everybody, not only for a team.", me.username),
        );
    }
    if *view_user == Right::Missing {
        return RIGHTS.warning(
            format!("'{}' may enter hours for others, but not see users (view_user): accounts cannot be imported.", me.username),
            format!("Give '{}' the role Super administrator in Kimai, at least while you import accounts.", me.username),
        );
    }
    RIGHTS.well("It may see, enter and change the hours of others and see users; by its role it may delete, which cannot be tried.")
}

fn of_zone(ours: &TimeZone, me: &CurrentUser, today: Date) -> Check {
    let our_name = ours.iana_name().unwrap_or("UTC");
    let Some(their_name) = me.timezone.as_deref() else {
        return ZONE.unknown(
            "Kimai does not tell the user's time zone.",
            "Look at it in Kimai, in the profile of the user.",
        );
    };
    let Ok(theirs) = TimeZone::get(their_name) else {
        let says = format!("'{}' has the time zone {their_name}, which is not known here.", me.username);
        return ZONE.unknown(says, format!("Give '{}' the time zone {our_name} in Kimai.", me.username));
    };
    let moved = moved_days(ours, &theirs, today);
    let user = &me.username;
    if let Some(first) = moved.first() {
        let when = if moved.len() == YEAR {
            "each day".to_owned()
        } else {
            format!("{} days of a year, next on {first}", moved.len())
        };
        return ZONE.trouble(
            format!(
                "Work days begin at midnight in {our_name}, which is the day before for '{user}' ({their_name}): Kimai books {when} on the day before."
            ),
            format!("Give '{user}' the time zone of the people whose hours it enters, in its profile in Kimai, and set TZ to the same."),
        );
    }
    if our_name == their_name {
        return ZONE.well(format!("{our_name}, here and in Kimai; midnight falls on the same day."));
    }
    ZONE.warning(
        format!("{our_name} here, {their_name} for '{user}' in Kimai. Midnight falls on the same day all year, but hours begin later than at midnight there."),
        format!("Set TZ to {their_name}, if that is where the people of the work logs live."),
    )
}

/// Words of Kimai by which a rule shows that its API does not tell, and what to do.
const SIGNS: &[(&str, &str, &str)] = &[
    ("empty duration", "empty durations are not allowed", "allow empty durations"),
    ("hours allowed", "long records are not allowed", "raise the limit for long records"),
    (
        "period is locked",
        "a period is locked",
        "give the user of the token a role that may write in locked periods",
    ),
    ("budget is used up", "a budget is used up", "raise the budget, or allow overbooking"),
    ("cannot be in the future", "times in the future are not allowed", "allow times in the future"),
    ("already have an entry", "overlapping entries are not allowed", "allow overlapping entries"),
];

fn of_rules(rules: &TimesheetRules, parked: &[&str]) -> Check {
    let mut found = Vec::new();
    let mut help = Vec::new();
    let mut severe = false;
    let mut tell = |says: String, mend: &str, trouble: bool| {
        severe |= trouble;
        found.push(says);
        if !help.contains(&mend.to_owned()) {
            help.push(mend.to_owned());
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
            "times in the future are not allowed, so leave is entered only when its day has come".to_owned(),
            "allow times in the future",
            false,
        );
    }
    for (sign, says, mend) in SIGNS {
        let count = parked.iter().filter(|why| why.contains(sign)).count();
        if count > 0 {
            tell(format!("{count} work logs wait because {says}"), mend, true);
        }
    }
    if found.is_empty() {
        return RULES.well(
            "Overlapping entries and times in the future are allowed. What Kimai does not tell (empty durations, longest one, locked periods, budgets) has refused nothing that waits here.",
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
    use crate::domain::ids::UserId;

    fn user(roles: &[&str], zone: Option<&str>) -> CurrentUser {
        CurrentUser {
            id: UserId(2),
            username: "sync".to_owned(),
            timezone: zone.map(str::to_owned),
            roles: roles.iter().map(|role| (*role).to_owned()).collect(),
        }
    }

    fn expect(check: &Check, verdict: Health, words: &str) {
        assert_eq!(check.verdict, verdict, "{check}");
        assert!(check.to_string().contains(words), "{words:?} is not in {check}");
    }

    #[test]
    fn what_kimai_answers_first_tells_address_token_and_version_apart() {
        let version = |version: &str, number| Ok(Version { version: version.to_owned(), number });
        expect(&of_version(version("2.65.0", 26500)), Health::Well, "version 2.65.0");
        expect(&of_version(version("2.13.0", 21300)), Health::Trouble, "Update Kimai");
        expect(&of_version(Err("it answered 401; …".to_owned())), Health::Trouble, "API_TOKEN");
        expect(&of_version(Err("the connection failed".to_owned())), Health::Trouble, "KIMAI_ENDPOINT");
    }

    #[test]
    fn rights_are_judged_by_what_showed_and_only_else_by_the_role() {
        let (given, missing) = (Right::Given, Right::Missing);
        let untold = Right::Untold("nobody's".to_owned());
        let taken = Right::Taken("timesheet 9 was made".to_owned());
        let rights = |view_user: &Right, other: &Right, create: &Right| Rights {
            view_user: view_user.clone(),
            view_other: other.clone(),
            create_other: create.clone(),
            edit_other: other.clone(),
        };
        let (boss, admin, own) = (["ROLE_SUPER_ADMIN"], ["ROLE_ADMIN"], ["ROLE_SYNC"]);
        let table = [
            (&boss[..], rights(&given, &given, &given), Health::Well, "cannot be tried"),
            (&boss[..], rights(&given, &untold, &given), Health::Well, "by its role"),
            (&admin[..], rights(&missing, &given, &given), Health::Warning, "Super administrator"),
            (
                &admin[..],
                rights(&missing, &given, &missing),
                Health::Trouble,
                "create_other_timesheet missing",
            ),
            // However much the role may do.
            (&boss[..], rights(&given, &given, &taken), Health::Trouble, "taken: timesheet 9 was made."),
            (
                &own[..],
                rights(&given, &given, &given),
                Health::Warning,
                "delete_other_timesheet does not show",
            ),
            (&[][..], rights(&missing, &untold, &missing), Health::Trouble, "role Administrator"),
        ];
        for (roles, rights, verdict, words) in table {
            expect(&of_rights(&user(roles, None), &rights), verdict, words);
        }
        expect(&of_user(&user(&boss, None)), Health::Well, "ROLE_SUPER_ADMIN");
        expect(&of_user(&user(&[], None)), Health::Warning, "no role but User");
    }

    #[test]
    fn a_zone_counts_when_midnight_falls_on_another_day() {
        let today: Date = "2026-01-15".parse().unwrap();
        let table = [
            ("Europe/Brussels", Some("Europe/Brussels"), Health::Well, "same day"),
            ("UTC", Some("UTC"), Health::Well, "same day"),
            ("UTC", Some("Europe/Brussels"), Health::Warning, "Set TZ to Europe/Brussels"),
            ("Europe/Brussels", Some("UTC"), Health::Trouble, "books each day on the day before"),
            // Summer time begins and ends on other days.
            ("Europe/London", Some("UTC"), Health::Trouble, "210 days of a year, next on 2026-03-30"),
            ("Europe/Brussels", Some("Mars/Olympus"), Health::Unknown, "not known here"),
            ("Europe/Brussels", None, Health::Unknown, "profile"),
        ];
        for (ours, theirs, verdict, words) in table {
            expect(&of_zone(&TimeZone::get(ours).unwrap(), &user(&[], theirs), today), verdict, words);
        }
    }

    #[test]
    fn rules_that_kimai_hides_show_by_what_they_refused() {
        let rules =
            |future, overlapping| TimesheetRules { tracking_mode: "default".into(), future, overlapping };
        expect(&of_rules(&rules(true, true), &[]), Health::Well, "does not tell");
        expect(&of_rules(&rules(true, false), &[]), Health::Trouble, "allow overlapping");
        expect(&of_rules(&rules(false, true), &[]), Health::Warning, "allow times in the future");
        let parked =
            ["… This period is locked. (400)", "… An empty duration is not allowed. (400)", "no account"];
        let check = of_rules(&rules(true, true), &parked);
        expect(&check, Health::Trouble, "1 work logs wait because a period is locked");
        expect(&check, Health::Trouble, "allow empty durations; give the user");
    }
}
