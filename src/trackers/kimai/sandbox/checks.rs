//! Whether a record may be booked as a whole.

use super::answer::{FormErrors, NOT_NULL};
use super::auth::Role;
use super::booking::{Booking, Draft};
use super::state::{number, text};
use super::time;

/// The longest record Kimai takes, in seconds: a year.
const LONGEST: i64 = 365 * 24 * 3600;

/// Finds everything wrong with a draft. A field that is wrong already is not blamed twice.
pub(super) fn run(booking: &Booking<'_>, draft: &Draft, errors: &mut FormErrors) {
    selection(booking, draft, errors);
    times(booking, draft, errors);
    project_dates(booking, draft, errors);
    settings(booking, draft, errors);
    budget(booking, draft, errors);
}

fn selection(booking: &Booking<'_>, draft: &Draft, errors: &mut FormErrors) {
    if draft.project.is_none() && !errors.has("project") {
        errors.field("project", "A project needs to be selected.");
        errors.field("project", NOT_NULL);
    }
    if draft.activity.is_none() && !errors.has("activity") {
        if booking.state.rules.require_activity {
            errors.field("activity", "An activity needs to be selected.");
        }
        errors.field("activity", NOT_NULL);
    }
    let activity = draft.activity.and_then(|activity| booking.state.activities.get(activity));
    let own = activity.and_then(|activity| number(activity, "project"));
    if own.is_some()
        && draft.project.is_some()
        && own != draft.project
        && !errors.has("activity")
        && !errors.has("project")
    {
        errors.field(
            "project",
            "Project mismatch, project specific activity and timesheet project are different.",
        );
    }
}

fn times(booking: &Booking<'_>, draft: &Draft, errors: &mut FormErrors) {
    let rules = &booking.state.rules;
    if !rules.allow_future_times {
        if draft.begin > booking.now {
            errors.form("The begin date cannot be in the future.");
        }
        if draft.end.is_some_and(|end| end > booking.now) {
            errors.form("The end date cannot be in the future.");
        }
    }
    let Some(end) = draft.end else { return };
    if end < draft.begin {
        errors.form("The end date must not be earlier than the start date.");
    }
    let duration = end.as_second() - draft.begin.as_second() - draft.break_seconds;
    if duration < 0 {
        errors.form("Duration cannot be negative.");
    } else if duration == 0 && !rules.allow_zero_duration {
        errors.form("An empty duration is not allowed.");
    } else if duration > LONGEST {
        errors.form("Maximum duration exceeded.");
    }
    let longest = rules.longest.and_then(|longest| i64::try_from(longest.as_secs()).ok());
    if let Some(longest) = longest.filter(|longest| duration > *longest) {
        errors.form(format!("Maximum {} hours allowed.", time::hours_minutes(longest)));
    }
}

/// Once for the begin and once for the end.
fn project_dates(booking: &Booking<'_>, draft: &Draft, errors: &mut FormErrors) {
    let Some(project) = draft.project.and_then(|project| booking.state.projects.get(project)) else { return };
    let date = |name| text(project, name).parse::<jiff::civil::Date>().ok();
    for instant in [Some(draft.begin), draft.end].into_iter().flatten() {
        let day = time::day(instant, &booking.who.zone);
        if date("start").is_some_and(|start| day < start) {
            errors.form("The project has not started at that time.");
        }
        // The end of the last day is midnight of the next.
        let before = instant.checked_sub(jiff::SignedDuration::from_secs(1)).unwrap_or(instant);
        if date("end").is_some_and(|end| time::day(before, &booking.who.zone) > end) {
            errors.form("The project is finished at that time.");
        }
    }
}

fn settings(booking: &Booking<'_>, draft: &Draft, errors: &mut FormErrors) {
    let rules = &booking.state.rules;
    let locked = rules.locked_before.is_some_and(|limit| draft.begin < limit);
    if locked && booking.who.role < Role::SuperAdmin {
        errors.form("This period is locked. Please choose a later date.");
    }
    let own = booking.old.map(|old| old.id);
    let clash = |end| {
        let others =
            booking.state.timesheets.iter().filter(|(id, row)| Some(*id) != own && row.user == draft.user);
        others
            .map(|(_, row)| row)
            .any(|row| row.begin < end && row.end.is_none_or(|until| draft.begin < until))
    };
    if !rules.allow_overlapping && draft.end.is_some_and(clash) {
        errors.form("You already have an entry for this time.");
    }
}

fn budget(booking: &Booking<'_>, draft: &Draft, errors: &mut FormErrors) {
    let project = draft.project.and_then(|id| Some((id, booking.state.projects.get(id)?)));
    let (Some((project, row)), Some(end), false) =
        (project, draft.end, booking.state.rules.allow_overbooking)
    else {
        return;
    };
    let budget = number(row, "timeBudget").and_then(|budget| i64::try_from(budget).ok()).unwrap_or_default();
    let own = booking.old.map(|old| old.id);
    let others =
        booking.state.timesheets.iter().filter(|(id, row)| Some(*id) != own && row.project == project);
    let used: i64 = others.map(|(_, row)| row.duration).sum();
    let wanted = end.as_second() - draft.begin.as_second() - draft.break_seconds;
    if budget > 0 && used + wanted > budget {
        let free = (budget - used).max(0);
        let [budget, used, free] = [budget, used, free].map(time::hours_minutes);
        errors.field(
            "project",
            format!(
                "The budget is used up. Of the available {budget}, {used} has been booked so far, \
                 {free} can still be used."
            ),
        );
    }
}
