//! The forms that start something. They are not updated live, so that a half-filled form is not replaced.

use jiff::ToSpan;
use jiff::civil::Date;
use maud::{Markup, html};

use super::time::Moment;
use crate::jobs::import::What;
use crate::reconcile::sweep::Period;

/// The month of `day`.
pub(super) fn month(day: Date) -> Period {
    Period { first: day.first_of_month(), last: day.last_of_month() }
}

/// The month before that of `day`.
pub(super) fn month_before(day: Date) -> Period {
    month(day.first_of_month().checked_sub(1.day()).unwrap_or(day))
}

/// The form that compares a period.
pub(super) fn sweep(moment: &Moment) -> Markup {
    let this = month(moment.day(moment.now));
    html! {
        section class="card" aria-labelledby="sweep-title" {
            h2 id="sweep-title" { "Compare both sides" }
            p class="lead" { "Shows the differences between the triplestore and Kimai in a period. Nothing is changed until you have seen them." }
            form action="/do/plan" method="post" class="fields" {
                div class="field" { label for="sweep-start" { "From" } input id="sweep-start" type="date" name="start" value=(this.first) required; }
                div class="field" { label for="sweep-end" { "To" } input id="sweep-end" type="date" name="end" value=(this.last) required; }
                button type="submit" class="primary" { "Show differences" }
            }
            form action="/do/plan" method="post" class="presets" {
                span class="note" id="presets" { "Or directly:" }
                button type="submit" name="preset" value="this-month" aria-describedby="presets" { "This month" }
                button type="submit" name="preset" value="last-month" aria-describedby="presets" { "Last month" }
            }
        }
    }
}

/// The form that imports Kimai's catalogue into the triplestore.
pub(super) fn import() -> Markup {
    html! {
        section class="card" aria-labelledby="import-title" {
            h2 id="import-title" { "Import from Kimai" }
            p class="lead" { "Imports customers, projects and activities, or people’s accounts into the triplestore. Then parked work logs are retried." }
            form action="/do/import" method="post" class="presets" {
                @for what in What::ALL {
                    @let name = match what {
                        What::Customers => "Customers",
                        What::Tasks => "Projects and activities",
                        What::Accounts => "Accounts",
                    };
                    button type="submit" name="what" value=(what) { (name) }
                }
            }
        }
    }
}

/// The form that locks a month.
pub(super) fn lock(moment: &Moment) -> Markup {
    let last = month_before(moment.day(moment.now)).first;
    html! {
        section class="card" aria-labelledby="lock-title" {
            h2 id="lock-title" { "Lock a month" }
            p class="lead" { "Sets the submitted timesheets of a month to exported, so that they are not changed after invoicing." }
            form action="/do/lock" method="post" class="fields" {
                div class="field" {
                    label for="lock-month" { "Month" }
                    input id="lock-month" type="month" name="month" value=(last.strftime("%Y-%m")) required
                        pattern="[0-9]{4}-[0-9]{2}" placeholder="2024-09";
                }
                div class="field check" {
                    input id="lock-sure" type="checkbox" name="sure" value="yes" required;
                    label for="lock-sure" { "This month is complete; locking cannot be undone here" }
                }
                button type="submit" { "Lock month" }
            }
        }
    }
}
