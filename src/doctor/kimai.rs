//! Checks Kimai: whether it answers, the user of the token and its permissions, and settings that prevent syncing.

use std::sync::PoisonError;

use jiff::civil::Date;
use jiff::tz::TimeZone;

use super::check::{Check, Topic};
use super::hours::{YEAR, moved_days};
use super::{Asked, Depth, Doctor, Refused, asked};
use crate::domain::Code;
use crate::explain::for_code;
use crate::settings::Relations;
use crate::text::many;
use crate::text::sentence;
use crate::trackers::kimai::{CurrentUser, Right, Rights, Version};
use crate::trackers::{Fault, TrackerFault};

pub(super) const KIMAI: Topic = Topic("kimai", "Kimai");
pub(super) const TOKEN: Topic = Topic("token", "Kimai user of the token");
const RIGHTS: Topic = Topic("rights", "Rights in Kimai");
const ZONE: Topic = Topic("zone", "Time zone");

pub(super) const WHERE_KIMAI_IS: &str = "Check that Kimai is running, and that KIMAI_ENDPOINT is its address, like https://kimai.example.com/api.";

/// The first version with API tokens, 2.14.0.
const OLDEST: u32 = 21400;
pub(super) const SEE_KIMAI: &str = "Fix the checks of Kimai and the token first.";

impl Doctor {
    pub(super) async fn kimai(&self) -> Check {
        let version = asked(self.target.kimai.version()).await;
        if let Ok(version) = &version {
            *self.version.lock().unwrap_or_else(PoisonError::into_inner) = Some(version.clone());
        }
        of_version(version)
    }

    /// The user of the token.
    pub(super) async fn me<'a>(&self, shared: &'a Asked) -> Result<&'a CurrentUser, TrackerFault> {
        let me = shared.me.get_or_init(|| asked(self.target.timesheets.me())).await;
        me.as_ref().map_err(Clone::clone)
    }

    pub(super) async fn token(&self, shared: &Asked) -> Check {
        match self.me(shared).await {
            Ok(me) => of_user(me),
            Err(fault) => match login(&fault) {
                Some(help) => TOKEN.trouble(sentence(&fault.to_string()), help),
                None => TOKEN.unknown(sentence(&fault.to_string()), SEE_KIMAI),
            },
        }
    }

    pub(super) async fn rights(&self, shared: &Asked, depth: Depth) -> Check {
        let tried = (depth == Depth::Attempts).then(|| self.target.clock.now());
        let both = async {
            let me = self.me(shared).await?;
            Ok((me, self.target.kimai.rights(me.id, tried).await?))
        };
        let refused = self.refused().await;
        match asked(both).await {
            Ok((me, rights)) => of_rights(me, &rights, &refused),
            Err(fault) => RIGHTS.unknown(sentence(&fault.to_string()), SEE_KIMAI),
        }
    }

    pub(super) async fn zone(&self, shared: &Asked) -> Check {
        let clock = &self.target.clock;
        match self.me(shared).await {
            Ok(me) => of_zone(clock.zone(), me, clock.today()),
            Err(fault) => ZONE.unknown(sentence(&fault.to_string()), SEE_KIMAI),
        }
    }

    /// How many work logs are parked, by code.
    pub(super) async fn refused(&self) -> Refused {
        self.target.queue.parked_by_code().await.unwrap_or_default()
    }
}

/// The fix if Kimai, or a proxy in front of it, refuses access.
fn login(fault: &TrackerFault) -> Option<&'static str> {
    (fault.fault == Fault::Unauthorised).then(|| for_code(fault.code, Relations::Follow)).flatten()
}

pub(super) fn of_version(version: Result<Version, TrackerFault>) -> Check {
    match version {
        Ok(Version { version, number }) if number != 0 && number < OLDEST => KIMAI.trouble(
            format!("Its version {version} does not support API tokens."),
            "Update Kimai to 2.14 or later.",
        ),
        Ok(Version { version, .. }) => KIMAI.well(format!("It answers, version {version}.")),
        Err(fault) => KIMAI.trouble(sentence(&fault.to_string()), login(&fault).unwrap_or(WHERE_KIMAI_IS)),
    }
}

fn of_user(me: &CurrentUser) -> Check {
    let roles = if me.roles.is_empty() { "no role other than User".to_owned() } else { me.roles.join(", ") };
    let says = format!("'{}' (user {}), {roles}.", me.username, me.id);
    if me.is_administrator() {
        return TOKEN.well(says);
    }
    let help = format!(
        "Give '{}' the role Administrator in Kimai, unless a custom role gives it the same rights (see the next \
         check).",
        me.username
    );
    TOKEN.warning(says, help)
}

fn of_rights(me: &CurrentUser, rights: &Rights, refused: &Refused) -> Check {
    let Rights { view_user, view_other, create_other, edit_other } = rights;
    let by_role = me.is_administrator();
    let mut missing = Vec::new();
    let mut untold = Vec::new();
    let mut taken = Vec::new();
    let mut not_tried = false;
    for (right, name) in [
        (view_other, "view_other_timesheet"),
        (create_other, "create_other_timesheet"),
        (edit_other, "edit_other_timesheet"),
    ] {
        match right {
            Right::Given => {}
            Right::NotTried => not_tried = true,
            Right::Missing => missing.push(name),
            Right::Taken(what) => taken.push(what.as_str()),
            // Without the right to see them Kimai returns none.
            Right::Untold(_) if by_role => {}
            Right::Untold(_) => untold.push(name),
        }
    }
    let wanting = refused.get(&Some(Code::RightMissing)).copied().unwrap_or_default();
    if not_tried && wanting > 0 {
        return RIGHTS.trouble(
            format!(
                "'{}' lacks a right in Kimai; {} parked because of this.",
                me.username,
                many(wanting as u64, "work log")
            ),
            format!("Give '{}' the right named in their error, or the role Administrator.", me.username),
        );
    }
    // It cannot be tested.
    if !by_role {
        untold.push("delete_other_timesheet");
    }
    if !taken.is_empty() {
        return RIGHTS.trouble(
            format!("Requests that every Kimai refuses were accepted: {}.", taken.join("; ")),
            "Undo their effects in Kimai. Then check that KIMAI_ENDPOINT is the address of a Kimai, and that \
             nothing else answers in its place.",
        );
    }
    if !missing.is_empty() {
        return RIGHTS.trouble(
            format!("'{}' cannot enter hours for others: {} missing.", me.username, missing.join(", ")),
            format!("Give '{}' the role Administrator in Kimai.", me.username),
        );
    }
    if !untold.is_empty() {
        return unknown_rights(me, &untold);
    }
    if *view_user == Right::Missing {
        return RIGHTS.warning(
            format!(
                "'{}' can enter hours for others, but cannot see users (view_user): accounts cannot be \
                 imported.",
                me.username
            ),
            format!(
                "Give '{}' the role Super administrator in Kimai, at least while you import accounts.",
                me.username
            ),
        );
    }
    RIGHTS.well(if not_tried { RIGHTS_READ } else { RIGHTS_TRIED })
}

const RIGHTS_READ: &str = "It can see users and the hours of others, and no parked work log was refused for a missing right. kimai-sync doctor also tests entering and changing hours.";
const RIGHTS_TRIED: &str = "It can see, enter and change the hours of others and see users; its role allows deleting them, which cannot be tested.";

/// The check if it is not known whether the user has these rights.
fn unknown_rights(me: &CurrentUser, untold: &[&str]) -> Check {
    RIGHTS.warning(
        format!(
            "It is not known whether '{}' has {}: it does not have one of Kimai's administrator roles.",
            me.username,
            untold.join(", ")
        ),
        format!(
            "Give '{}' the role Administrator in Kimai, or a custom role with these rights for everybody, not \
             only for a team.",
            me.username
        ),
    )
}

fn of_zone(ours: &TimeZone, me: &CurrentUser, today: Date) -> Check {
    let our_name = ours.iana_name().unwrap_or("UTC");
    let Some(their_name) = me.timezone.as_deref() else {
        return ZONE.unknown(
            "Kimai does not report the user's time zone.",
            "Check it in Kimai, in the profile of the user.",
        );
    };
    let Ok(theirs) = TimeZone::get(their_name) else {
        let says =
            format!("'{}' has the time zone {their_name}, which this service does not know.", me.username);
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
                "Work days begin at midnight in {our_name}, which is the day before in the zone of '{user}' \
                 ({their_name}): Kimai books {when} on the day before."
            ),
            format!("Give '{user}' the time zone of the people whose hours it enters, in its profile in Kimai, and set TZ to the same."),
        );
    }
    if our_name == their_name {
        return ZONE.well(format!("{our_name}, here and in Kimai; midnight is on the same day."));
    }
    ZONE.warning(
        format!(
            "{our_name} here, {their_name} for '{user}' in Kimai. Midnight is on the same day all year, but \
            hours begin after midnight there."
        ),
        format!("Set TZ to {their_name}, if that is the time zone of the people whose work logs are synced."),
    )
}

#[cfg(test)]
mod tests {
    use super::super::Health;
    use super::*;
    use crate::domain::ids::UserId;
    use crate::trackers::Operation;
    use crate::trackers::kimai;
    use crate::trackers::kimai::fault;

    fn user(roles: &[&str], zone: Option<&str>) -> CurrentUser {
        CurrentUser {
            id: UserId::number(2),
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
        let refused = |body: &[u8]| Err(fault::of_answer(Operation::Read, 401, None, body));
        expect(&of_version(refused(b"")), Health::Trouble, "API_TOKEN");
        expect(
            &of_version(refused(br#"{"code":401,"message":"Unauthorized"}"#)),
            Health::Trouble,
            "CGIPassAuth",
        );
        expect(&of_version(refused(b"<html>")), Health::Trouble, "auth_basic off");
        let cut = TrackerFault::cut(kimai::NAME, Operation::Read, false, "the connection failed");
        expect(&of_version(Err(cut)), Health::Trouble, "KIMAI_ENDPOINT");
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
            (&boss[..], rights(&given, &given, &given), Health::Well, "cannot be tested"),
            (&boss[..], rights(&given, &untold, &given), Health::Well, "its role allows"),
            (&admin[..], rights(&missing, &given, &given), Health::Warning, "Super administrator"),
            (
                &admin[..],
                rights(&missing, &given, &missing),
                Health::Trouble,
                "create_other_timesheet missing",
            ),
            // Whatever the role allows.
            (&boss[..], rights(&given, &given, &taken), Health::Trouble, "accepted: timesheet 9 was made."),
            (
                &own[..],
                rights(&given, &given, &given),
                Health::Warning,
                "delete_other_timesheet: it does not have",
            ),
            (&[][..], rights(&missing, &untold, &missing), Health::Trouble, "role Administrator"),
        ];
        let missed = Refused::from([(Some(Code::RightMissing), 1)]);
        for (roles, rights, verdict, words) in table {
            expect(&of_rights(&user(roles, None), &rights, &missed), verdict, words);
        }
        // The hourly checks send no test requests: earlier refusals show what is missing.
        let asked = Rights {
            view_user: given.clone(),
            view_other: given.clone(),
            create_other: Right::NotTried,
            edit_other: Right::NotTried,
        };
        let boss = user(&boss, None);
        expect(
            &of_rights(&boss, &asked, &Refused::from([(Some(Code::NoAccount), 3)])),
            Health::Well,
            "no parked work log was refused",
        );
        expect(&of_rights(&boss, &asked, &missed), Health::Trouble, "1 work log parked because of this");
        expect(&of_user(&boss), Health::Well, "ROLE_SUPER_ADMIN");
        expect(&of_user(&user(&[], None)), Health::Warning, "no role other than User");
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
            ("Europe/Brussels", Some("Mars/Olympus"), Health::Unknown, "this service does not know"),
            ("Europe/Brussels", None, Health::Unknown, "profile"),
        ];
        for (ours, theirs, verdict, words) in table {
            expect(&of_zone(&TimeZone::get(ours).unwrap(), &user(&[], theirs), today), verdict, words);
        }
    }
}
