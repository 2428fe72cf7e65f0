//! Changes of the system clock.

use jiff::tz::TimeZone;
use jiff::{SignedDuration, Timestamp};

use super::Doctor;
use super::check::{Check, Topic};
use crate::clock::Step;

const CLOCK: Topic = Topic("clock", "Clock");

/// How long a change is reported.
const TOLD_FOR: SignedDuration = SignedDuration::from_hours(24);
const HELP: &str = "Synchronise the system clock with NTP. Nothing is delayed by this, but displayed times may \
    be off by as much.";

impl Doctor {
    pub(super) fn clock(&self) -> Check {
        let clock = &self.target.clock;
        of_clock(clock.last_step(), clock.kept_ahead(), clock.wall(), clock.zone())
    }
}

fn of_clock(
    step: Option<Step>,
    kept_ahead: Option<SignedDuration>,
    wall: Timestamp,
    zone: &TimeZone,
) -> Check {
    let recent = step.filter(|step| wall.duration_since(step.at) < TOLD_FOR);
    if let Some(Step { at, by }) = recent {
        let at = at.to_zoned(zone.clone()).strftime("%Y-%m-%d %H:%M");
        let way = if by.is_negative() { "back" } else { "forward" };
        return CLOCK.warning(format!("The system clock was set {way} by {}, to {at}.", length(by)), HELP);
    }
    if let Some(ahead) = kept_ahead {
        return CLOCK.warning(
            format!(
                "At the start the queue file contained times up to {} in the future: the system clock had \
                been set back.",
                length(ahead)
            ),
            HELP,
        );
    }
    CLOCK.well("Not changed since the start.")
}

fn length(of: SignedDuration) -> String {
    let minutes = of.abs().as_mins();
    if minutes == 0 {
        format!("{} s", of.abs().as_secs())
    } else {
        format!("{} h {} min", minutes / 60, minutes % 60)
    }
}

#[cfg(test)]
mod tests {
    use super::super::Health;
    use super::*;

    #[test]
    fn a_step_is_told_of_for_a_day_and_times_of_the_future_until_the_next_start() {
        let at = |text: &str| text.parse::<Timestamp>().unwrap();
        let step = Step { at: at("2024-09-02T10:00:00Z"), by: SignedDuration::from_hours(-2) };
        let check = |step, ahead, wall| of_clock(step, ahead, at(wall), &TimeZone::UTC);
        let told = check(Some(step), None, "2024-09-02T10:05:00Z");
        assert_eq!(told.verdict, Health::Warning);
        assert!(told.says.contains("set back by 2 h 0 min, to 2024-09-02 10:00"), "{told}");
        assert_eq!(check(Some(step), None, "2024-09-03T10:05:00Z").verdict, Health::Well);
        let ahead = check(None, Some(SignedDuration::from_secs(90)), "2024-09-02T10:05:00Z");
        assert!(
            ahead.verdict == Health::Warning && ahead.says.contains("0 h 1 min in the future"),
            "{ahead}"
        );
        assert_eq!(check(None, None, "2024-09-02T10:05:00Z").verdict, Health::Well);
    }
}
