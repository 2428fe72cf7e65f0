//! The page on which people log in.

use maud::{DOCTYPE, Markup, html};

use super::head;

/// The form, with what went wrong before, if anything did. `next` is where it leads.
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
                        p id="hint" { "What " code { "OPS_TOKEN" } " of the service says. You stay logged in for 12 hours." }
                        button type="submit" { "Log in" }
                    }
                }
            }
        }
    }
}
