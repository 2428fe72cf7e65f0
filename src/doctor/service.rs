//! Checks of the service itself: settings, queue, sweeps, deltas.

use std::path::Path;
use std::{fs, iter};

use jiff::Timestamp;
use jiff::tz::TimeZone;

use super::check::{Check, Topic, some};
use super::{Doctor, limited};
use crate::domain::CronPattern;
use crate::domain::status::Load;
use crate::queue::Counts;
use crate::store::QueueFault;
use crate::store::sqlite::{self, Storage};
use crate::text::{minute, second, sentence};
use crate::unreadable::Unreadable;

const SETTINGS: Topic = Topic("settings", "Settings");
const QUEUE_FILE: Topic = Topic("queue-file", "Queue file");
const QUEUE: Topic = Topic("queue", "Queue");
const VALUES: Topic = Topic("values", "Values");
const SCHEDULE: Topic = Topic("schedule", "Sweeps");
const DELTAS: Topic = Topic("deltas", "Deltas");

/// The checks that only a running service can make.
pub(crate) const SERVICE: [&str; 6] = ["queue-file", "queue", "values", "held-back", "schedule", "deltas"];

/// How many days without a delta are normal: a long weekend, or a holiday in a small company.
const QUIET_DAYS: i64 = 14;
/// How late the queue may be, in seconds.
const LATE: i64 = 15 * 60;
/// How many of the next sweeps are shown.
const TOLD: usize = 3;

pub(super) const NOT_HERE: &str = "Only the running service knows this.";
pub(super) const ASK_IT: &str = "Start it, or give its address with --url.";

impl Doctor {
    pub(super) fn settings(&self) -> Check {
        of_settings(&self.given.warnings)
    }

    pub(super) async fn queue_file(&self) -> Check {
        if self.serving.get().is_none() {
            return QUEUE_FILE.unknown(NOT_HERE, ASK_IT);
        }
        let storage = &self.target.storage;
        match limited(storage.probe()).await {
            Err(why) => of_file(Some(&why), storage),
            Ok(()) => of_file(None, storage),
        }
    }

    pub(super) async fn queue(&self) -> Check {
        if self.serving.get().is_none() {
            return QUEUE.unknown(NOT_HERE, ASK_IT);
        }
        let queue = &self.target.queue;
        let asked = async { Ok::<_, QueueFault>((queue.counts().await?, queue.oldest_due().await?)) };
        match limited(asked).await {
            Ok((Counts { queued, scheduled, running, parked }, oldest_due)) => {
                of_queue(Load { queued, scheduled, running, parked, oldest_due }, self.target.clock.now())
            }
            Err(why) => QUEUE.trouble(sentence(&why), "Fix the check of the queue file first."),
        }
    }

    pub(super) fn values(&self) -> Check {
        if self.serving.get().is_none() {
            return VALUES.unknown(NOT_HERE, ASK_IT);
        }
        of_values(&self.target.unreadable.iter().flat_map(Unreadable::recent).collect::<Vec<_>>())
    }

    pub(super) fn schedule(&self) -> Check {
        let Some(serving) = self.serving.get() else { return SCHEDULE.unknown(NOT_HERE, ASK_IT) };
        let now = self.target.clock.now();
        if !serving.sweeps {
            return SCHEDULE.well("Sweeps are not scheduled here (a demo).");
        }
        upcoming(&self.given.cron, now, self.target.clock.zone())
    }

    pub(super) async fn deltas(&self) -> Check {
        let Some(serving) = self.serving.get() else { return DELTAS.unknown(NOT_HERE, ASK_IT) };
        match limited(self.target.queue.last_delta()).await {
            Ok(last) => {
                let check = of_deltas(last, serving.since, self.target.clock.now(), self.target.clock.zone());
                if self.target.probe.is_of_a_stack() { check } else { without_rules(check) }
            }
            Err(why) => DELTAS.unknown(sentence(&why), "Fix the check of the queue file first."),
        }
    }
}

fn of_settings(warnings: &[String]) -> Check {
    if warnings.is_empty() {
        return SETTINGS.well("They are valid.");
    }
    SETTINGS.warning(sentence(&warnings.join("; ")), "Change them, unless they are intended.")
}

/// The check for settings that prevent the start.
pub(crate) fn of_faulty_settings(faults: &[String]) -> Check {
    SETTINGS
        .trouble(sentence(&faults.join("; ")), "Fix these settings; kimai-sync --help lists all settings.")
}

fn of_values(odd: &[String]) -> Check {
    match odd.len() {
        0 => VALUES.well("Every value from Kimai and the triplestore could be read."),
        count => VALUES.warning(
            format!("{count} values could not be read in the last 24 hours: {}.", some(odd)),
            "Correct each where it was entered. Typical causes are half an emoji, a control character, or a \
             value of the wrong type.",
        ),
    }
}

pub(super) fn of_file(trouble: Option<&str>, storage: &Storage) -> Check {
    match trouble {
        Some(why) => QUEUE_FILE.trouble(
            sentence(why),
            "Free disk space, or make it writable for the service's user. Until it can be written, no change is \
             accepted.",
        ),
        None if storage.is_in_memory() => QUEUE_FILE.warning(
            "It is in memory: the queue is lost when the service stops.",
            "Nothing, for trying it out. To keep the queue, run standalone with --data DIR.",
        ),
        None => QUEUE_FILE.well(format!("{} can be written.", storage.place())),
    }
}

pub(super) fn of_queue(load: Load, now: Timestamp) -> Check {
    let Load { queued, scheduled, running, parked, oldest_due } = load;
    let all = format!("queued {queued}, scheduled {scheduled}, running {running}, parked {parked}");
    let late = oldest_due.map(|due| now.duration_since(due).as_secs()).filter(|late| *late > LATE);
    if let Some(late) = late {
        return QUEUE.warning(
            format!("It is {} minutes behind: {all}.", late / 60),
            "Look at the checks of Kimai and the triplestore; if both are fine, raise KIMAI_CONCURRENCY.",
        );
    }
    if parked > 0 {
        return QUEUE.warning(
            sentence(&all),
            "kimai-sync queue list --state parked shows the reasons, kimai-sync queue retry --parked retries them.",
        );
    }
    QUEUE.well(sentence(&all))
}

/// The next sweeps of `pattern` after `now`.
pub(crate) fn upcoming(pattern: &str, now: Timestamp, zone: &TimeZone) -> Check {
    let cron = CronPattern::parse(pattern).ok();
    let after = |instant: Timestamp| cron.as_ref().and_then(|cron| cron.next_after(instant));
    let next: Vec<String> =
        iter::successors(after(now), |last| after(*last)).take(TOLD).map(|time| second(time, zone)).collect();
    if next.is_empty() {
        return SCHEDULE.trouble(
            format!("FALLBACK_SYNC_CRON is '{pattern}', which never occurs."),
            "Use a pattern that occurs, like 0 0 */2 * * *.",
        );
    }
    SCHEDULE.well(format!(
        "With '{pattern}' (UTC), the next ones are at {} ({}).",
        next.join(", "),
        zone.iana_name().unwrap_or("UTC")
    ))
}

/// The same for the embedded triplestore, which reports its changes itself.
fn without_rules(check: Check) -> Check {
    let help = check.help.is_some().then(|| "Write a work log to /sparql and check again.".to_owned());
    Check { help, ..check }
}

fn of_deltas(last: Option<Timestamp>, since: Timestamp, now: Timestamp, zone: &TimeZone) -> Check {
    const RULES: &str = "Register a work log and check again. If no delta arrives, copy config/delta-rules.js \
        into config/delta/rules.js, and check that the service is named kimai-sync; with mu-authorization, set \
        foldEffectiveChanges to false. Until then only sweeps find changes, hours later.";
    let told = |instant: Timestamp| minute(instant, zone);
    match last {
        None => DELTAS.warning(
            "None that names a work log has been received since the queue file was created or upgraded, which \
             is normal right after the first start.",
            RULES,
        ),
        Some(last) if now.duration_since(last).as_hours() > QUIET_DAYS * 24 => {
            DELTAS.warning(format!("The last one was received at {}.", told(last)), RULES)
        }
        Some(last) => {
            let start = if last < since { "; none since the start" } else { "" };
            DELTAS.well(format!("The last one was received at {}{start}.", told(last)))
        }
    }
}

/// Checks the queue file in `directory` while no service answers. It only creates a file and removes it again.
pub fn look_at_file(directory: &Path) -> Check {
    let place = directory.join(sqlite::FILE);
    let shown = place.display();
    if fs::metadata(&place).is_ok_and(|found| found.permissions().readonly()) {
        return QUEUE_FILE
            .trouble(format!("{shown} is read-only."), "Make it writable for the service's user.");
    }
    if !directory.exists() {
        return QUEUE_FILE.warning(
            format!("{} does not exist; the service creates it at start.", directory.display()),
            "Nothing, if the service has not run yet. Otherwise check DATA_DIR and its volume.",
        );
    }
    let trial = directory.join(format!(".kimai-sync-doctor-{}", uuid::Uuid::new_v4().simple()));
    let tried = fs::write(&trial, b"try").and_then(|()| fs::remove_file(&trial));
    match tried {
        Ok(()) if place.exists() => {
            QUEUE_FILE.well(format!("{shown} exists, and its directory can be written."))
        }
        Ok(()) => QUEUE_FILE.well(format!("{} can be written; there is no file yet.", directory.display())),
        Err(fault) => QUEUE_FILE.trouble(
            format!("{} cannot be written: {fault}.", directory.display()),
            "Make it writable for the service's user (10001 in the image), or choose another DATA_DIR.",
        ),
    }
}

#[cfg(test)]
mod tests {
    use super::super::Health;
    use super::*;

    fn at(text: &str) -> Timestamp {
        text.parse().unwrap()
    }

    fn expect(check: &Check, verdict: Health, words: &str) {
        assert_eq!(check.verdict, verdict, "{check}");
        assert!(check.to_string().contains(words), "{words:?} is not in {check}");
    }

    #[test]
    fn the_next_sweeps_are_told_in_our_zone() {
        let brussels = TimeZone::get("Europe/Brussels").unwrap();
        let check = upcoming("0 0 */2 * * *", at("2026-03-28T23:10:00Z"), &brussels);
        let words =
            "the next ones are at 2026-03-29 01:00, 2026-03-29 04:00, 2026-03-29 06:00 (Europe/Brussels)";
        expect(&check, Health::Well, words);
        expect(
            &upcoming("0 0 0 30 2 *", at("2026-03-28T23:10:00Z"), &TimeZone::UTC),
            Health::Trouble,
            "never occurs",
        );
    }

    #[test]
    fn deltas_that_never_came_lead_to_the_rules() {
        let (now, utc) = (at("2026-03-28T12:00:00Z"), TimeZone::UTC);
        let check = |last| of_deltas(last, at("2026-03-28T11:00:00Z"), now, &utc);
        expect(&check(None), Health::Warning, "config/delta-rules.js");
        expect(&check(None), Health::Warning, "normal right after the first start");
        expect(&check(Some(at("2026-03-01T12:00:00Z"))), Health::Warning, "2026-03-01 12:00");
        expect(&check(Some(at("2026-03-28T10:00:00Z"))), Health::Well, "none since the start");
        expect(&check(Some(at("2026-03-28T11:30:00Z"))), Health::Well, "11:30.");
    }

    #[test]
    fn a_queue_that_lags_or_keeps_aside_says_what_to_do() {
        let now = at("2026-03-28T12:00:00Z");
        let due = |due| Load { queued: 3, oldest_due: Some(at(due)), ..Load::default() };
        expect(&of_queue(due("2026-03-28T11:59:00Z"), now), Health::Well, "Queued 3");
        expect(&of_queue(due("2026-03-28T11:00:00Z"), now), Health::Warning, "60 minutes behind");
        let parked = Load { parked: 2, ..Load::default() };
        expect(&of_queue(parked, now), Health::Warning, "--state parked");
    }

    #[test]
    fn a_folder_is_looked_at_without_leaving_anything() {
        let folder = tempfile::tempdir().unwrap();
        expect(&look_at_file(folder.path()), Health::Well, "no file yet");
        assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 0);
        expect(&look_at_file(&folder.path().join("none")), Health::Warning, "does not exist");
        let file = folder.path().join("a-file");
        fs::write(&file, b"").unwrap();
        expect(&look_at_file(&file), Health::Trouble, "cannot be written");
    }
}
