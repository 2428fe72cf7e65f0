//! Instants formatted for people, in the time zone of the service.

use jiff::Timestamp;
use jiff::tz::TimeZone;
use maud::{Markup, html};

use crate::clock::Clock;
use crate::text::minute;

/// The present, and the time zone in which times are shown.
#[derive(Debug, Clone)]
pub(super) struct Moment {
    /// The present instant.
    pub(super) now: Timestamp,
    zone: TimeZone,
}

impl Moment {
    /// The present of `clock`, in its zone.
    pub(super) fn of(clock: &Clock) -> Self {
        Self { now: clock.now(), zone: clock.zone().clone() }
    }

    /// The zone's name.
    pub(super) fn zone(&self) -> String {
        let name = self.zone.iana_name().map(str::to_owned);
        name.unwrap_or_else(|| self.now.to_zoned(self.zone.clone()).strftime("UTC%:z").to_string())
    }

    /// `2026-11-22 03:15:22`.
    pub(super) fn text(&self, at: Timestamp) -> String {
        at.to_zoned(self.zone.clone()).strftime("%Y-%m-%d %H:%M:%S").to_string()
    }

    /// `2026-11-22 03:15`.
    pub(super) fn minute(&self, at: Timestamp) -> String {
        minute(at, &self.zone)
    }

    /// `03:15`.
    pub(super) fn clock(&self, at: Timestamp) -> String {
        at.to_zoned(self.zone.clone()).strftime("%H:%M").to_string()
    }

    /// The day.
    pub(super) fn day(&self, at: Timestamp) -> jiff::civil::Date {
        at.to_zoned(self.zone.clone()).date()
    }

    /// The instant as a `<time>` element.
    pub(super) fn time(&self, at: Timestamp) -> Markup {
        html! { time datetime=(at) { (self.text(at)) } }
    }

    /// The same with how long ago that is, or how long until then.
    pub(super) fn relative(&self, at: Timestamp) -> Markup {
        html! { time datetime=(at) title={ (self.text(at)) " " (self.zone()) } { (self.distance(at)) } }
    }

    /// How long ago or until then, coarsely, so that it does not change all the time.
    pub(super) fn distance(&self, at: Timestamp) -> String {
        let distance = at.duration_since(self.now);
        let (seconds, ahead) = (distance.as_secs(), distance.is_positive());
        let (amount, unit) = match seconds.unsigned_abs() {
            0..60 if ahead => return "in less than a minute".to_owned(),
            0..60 => return "less than a minute ago".to_owned(),
            seconds @ 60..7_200 => (seconds / 60, "min"),
            seconds @ 7_200..172_800 => (seconds / 3_600, "h"),
            seconds => (seconds / 86_400, "days"),
        };
        if ahead { format!("in {amount} {unit}") } else { format!("{amount} {unit} ago") }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn instants_are_told_in_our_zone_and_distances_with_their_unit() {
        let now: Timestamp = "2026-11-22T02:15:22Z".parse().unwrap();
        let moment = Moment { now, zone: TimeZone::get("Europe/Brussels").unwrap() };
        assert_eq!(moment.text(now), "2026-11-22 03:15:22");
        assert_eq!(moment.zone(), "Europe/Brussels");
        let html = moment.time(now).into_string();
        assert_eq!(html, r#"<time datetime="2026-11-22T02:15:22Z">2026-11-22 03:15:22</time>"#);
        let table = [
            (0, "less than a minute ago"),
            (5, "in less than a minute"),
            (-59, "less than a minute ago"),
            (-60, "1 min ago"),
            (90 * 60, "in 90 min"),
            (-7_200, "2 h ago"),
            (-3 * 86_400, "3 days ago"),
        ];
        for (seconds, words) in table {
            assert_eq!(moment.distance(now + jiff::SignedDuration::from_secs(seconds)), words);
        }
        let soon = now + jiff::SignedDuration::from_millis(300);
        assert_eq!(moment.distance(soon), "in less than a minute");
    }
}
