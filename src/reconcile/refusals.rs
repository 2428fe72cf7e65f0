//! Explains Kimai's refusals in more detail than Kimai does: looked up once, then cached for a while.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use jiff::Timestamp;
use jiff::civil::Date;

use crate::clock::Clock;
use crate::domain::Code;
use crate::domain::ids::{ActivityId, EntryId, ProjectId, UserId};
use crate::domain::timesheet::DesiredEntry;
use crate::trackers::kimai::CurrentUser;
use crate::trackers::{Operation, TrackerFault};
use crate::trackers::{TimeEntry, Tracker};

/// How long an explanation is cached: a month of refused work logs costs one lookup, and a fix in Kimai soon shows.
const REMEMBERED: Duration = Duration::from_mins(10);
/// The most explanations cached; they are cheap to get again.
const MOST: usize = 1_000;

/// What an explanation is about.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
enum Key {
    /// A choice that Kimai does not offer.
    Choice(ProjectId, ActivityId, UserId),
    /// A timesheet that may not be changed (or, if set, deleted).
    Timesheet(EntryId, bool),
}

/// A reason: its code and its text.
type Why = (Code, String);

/// Explains refusals. Shared by the runs.
pub struct Refusals {
    kimai: Arc<dyn Tracker>,
    clock: Clock,
    known: Mutex<HashMap<Key, (Timestamp, Why)>>,
    me: Mutex<Option<(Timestamp, CurrentUser)>>,
}

impl Refusals {
    /// Looks things up in `kimai`.
    pub fn new(kimai: Arc<dyn Tracker>, clock: Clock) -> Self {
        Self { kimai, clock, known: Mutex::default(), me: Mutex::default() }
    }

    /// `fault` with the reason why `wanted` was refused, if it is one that Kimai does not explain.
    pub async fn explain(&self, fault: TrackerFault, wanted: &DesiredEntry) -> TrackerFault {
        match fault.code {
            Code::ChoiceInvalid => {
                let key = Key::Choice(wanted.project, wanted.activity, wanted.user);
                let look = async {
                    let choices = self.kimai.choices(wanted).await?;
                    Ok(Some(choices.why_invalid(wanted, self.clock.today())))
                };
                self.looked_up(fault, key, look).await
            }
            Code::PeriodLocked => with_reason(fault, locked(self.day(wanted.begin))),
            Code::KimaiForbidden if fault.operation == Operation::Create => {
                let why =
                    "the API token's user lacks the right create_own_timesheet or create_other_timesheet";
                with_reason(fault, (Code::RightMissing, why.to_owned()))
            }
            _ => fault,
        }
    }

    /// `fault` with the reason why timesheet `id` was not changed to `wanted`.
    pub async fn of_change(&self, fault: TrackerFault, id: EntryId, wanted: &DesiredEntry) -> TrackerFault {
        match fault.code {
            Code::KimaiForbidden => self.forbidden(fault, id).await,
            _ => self.explain(fault, wanted).await,
        }
    }

    /// `fault` with the reason why timesheet `id` may not be changed or deleted, if Kimai only forbids it.
    pub async fn forbidden(&self, fault: TrackerFault, id: EntryId) -> TrackerFault {
        if fault.code != Code::KimaiForbidden {
            return fault;
        }
        let deletes = fault.operation == Operation::Delete;
        let look = async {
            let Some(timesheet) = self.kimai.timesheet(id).await? else { return Ok(None) };
            Ok(Some(why_forbidden(&timesheet, &self.me().await?, self.day(timesheet.begin), deletes)))
        };
        self.looked_up(fault, Key::Timesheet(id, deletes), look).await
    }

    /// `fault` with the cached reason of `key`, or else with the result of a `look`.
    async fn looked_up(
        &self,
        fault: TrackerFault,
        key: Key,
        look: impl Future<Output = Result<Option<Why>, TrackerFault>>,
    ) -> TrackerFault {
        let why = match self.remembered(&key) {
            Some(why) => why,
            None => match look.await {
                Ok(Some(why)) => self.remember(key, why),
                Ok(None) => return fault,
                // What the token may not see, it may not change either.
                Err(unseen) if unseen.code == Code::KimaiForbidden => {
                    let why = "the API token's user may not see this timesheet: it lacks the right \
                               view_other_timesheet, or leads no team of its person";
                    self.remember(key, (Code::RightMissing, why.to_owned()))
                }
                Err(unknown) => {
                    (fault.code, format!("the reason could not be looked up ({})", unknown.message))
                }
            },
        };
        with_reason(fault, why)
    }

    async fn me(&self) -> Result<CurrentUser, TrackerFault> {
        let known = self.me.lock().unwrap_or_else(PoisonError::into_inner).clone();
        if let Some((_, me)) = known.filter(|(until, _)| self.clock.now() < *until) {
            return Ok(me);
        }
        let me = self.kimai.me().await?;
        let kept = Some((self.clock.after(REMEMBERED), me.clone()));
        *self.me.lock().unwrap_or_else(PoisonError::into_inner) = kept;
        Ok(me)
    }

    fn day(&self, begin: Timestamp) -> Date {
        begin.to_zoned(self.clock.zone().clone()).date()
    }

    fn remembered(&self, key: &Key) -> Option<Why> {
        let known = self.known.lock().unwrap_or_else(PoisonError::into_inner);
        known.get(key).filter(|(until, _)| self.clock.now() < *until).map(|(_, why)| why.clone())
    }

    fn remember(&self, key: Key, why: Why) -> Why {
        let mut known = self.known.lock().unwrap_or_else(PoisonError::into_inner);
        if known.len() >= MOST {
            known.clear();
        }
        known.insert(key, (self.clock.after(REMEMBERED), why.clone()));
        why
    }
}

fn with_reason(fault: TrackerFault, (code, why): Why) -> TrackerFault {
    TrackerFault { code, message: format!("{why} (Kimai says: {})", fault.message), ..fault }
}

fn locked(day: Date) -> Why {
    let why = format!(
        "{day} is in a period that is locked in Kimai, and the API token's user lacks the right lockdown_override_timesheet"
    );
    (Code::PeriodLocked, why)
}

/// Why Kimai forbids `me` to change or delete `timesheet`. It says no more than 403; what is not exported and is
/// somebody's whose hours the role may change by default is in a locked period.
fn why_forbidden(timesheet: &TimeEntry, me: &CurrentUser, day: Date, deletes: bool) -> Why {
    let id = timesheet.id;
    if timesheet.exported {
        let why = format!(
            "timesheet {id} is exported in Kimai, and the API token's user lacks the right edit_exported_timesheet"
        );
        return (Code::TimesheetExported, why);
    }
    let own = timesheet.user == Some(me.id);
    if own || me.is_administrator() {
        return locked(day);
    }
    let right = if deletes { "delete_other_timesheet" } else { "edit_other_timesheet" };
    let why = format!(
        "the API token's user '{}' lacks the right {right} or leads no team of its person; if it has both, {day} is in a \
         period that is locked in Kimai, which takes lockdown_override_timesheet",
        me.username
    );
    (Code::RightMissing, why)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_403_names_the_export_the_locked_period_or_the_right() {
        let user = |id: u64, roles: &[&str]| CurrentUser {
            id: UserId::number(id),
            username: "sync".to_owned(),
            timezone: None,
            roles: roles.iter().map(|role| (*role).to_owned()).collect(),
        };
        let row = |exported| TimeEntry {
            id: EntryId::number(7),
            activity: None,
            project: None,
            user: Some(UserId::number(3)),
            begin: "2024-09-02T00:00:00Z".parse().unwrap(),
            day: "2024-09-02".parse().unwrap(),
            end: None,
            duration: 0,
            pause: 0,
            note: None,
            exported,
        };
        let day = "2024-09-02".parse().unwrap();
        let (admin, plain) = (user(1, &["ROLE_ADMIN"]), user(1, &[]));
        let table = [
            (row(true), &admin, false, Code::TimesheetExported, "edit_exported_timesheet"),
            (row(false), &admin, false, Code::PeriodLocked, "2024-09-02 is in a period that is locked"),
            (row(false), &user(3, &[]), true, Code::PeriodLocked, "lockdown_override_timesheet"),
            (row(false), &plain, false, Code::RightMissing, "edit_other_timesheet"),
            (row(false), &plain, true, Code::RightMissing, "delete_other_timesheet"),
        ];
        for (row, me, deletes, code, words) in table {
            let (found, why) = why_forbidden(&row, me, day, deletes);
            assert_eq!(found, code, "{why}");
            assert!(why.contains(words), "{words} is not in {why}");
        }
    }
}
