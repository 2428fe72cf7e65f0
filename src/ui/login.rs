//! The login page.

use maud::{DOCTYPE, Markup, html};

use super::head;

/// The form, with the previous error, if any. `next` is where it leads.
pub(super) fn render(next: &str, fault: Option<&str>) -> Markup {
    html! {
        (DOCTYPE)
        html lang="en" {
            head { (head("Log in")) }
            body {
                main class="login" {
                    h1 { "kimai-sync" }
                    @if let Some(fault) = fault {
                        p class="fault" role="alert" { (fault) }
                    }
                    form method="post" action="/login" {
                        input type="hidden" name="next" value=(next);
                        label for="token" { "Token" }
                        input id="token" type="password" name="token" autocomplete="current-password" required autofocus
                            aria-describedby="hint";
                        p id="hint" { "The value of " code { "OPS_TOKEN" } " of the service. You stay logged in for 12 hours." }
                        button type="submit" { "Log in" }
                    }
                }
            }
        }
    }
}
