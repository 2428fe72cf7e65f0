//! Icons. Each has its own shape and a label beside it, so that nothing is shown by colour alone.

use maud::{Markup, html};

use crate::jobs::State;

/// The meaning of an icon.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Icon {
    /// Everything is fine.
    Good,
    /// Needs attention.
    Warning,
    /// An error.
    Bad,
    /// Waiting.
    Waiting,
    /// In progress.
    Running,
    /// Neutral.
    Neutral,
}

impl Icon {
    /// The icon of a run's state.
    pub(super) fn of(state: State) -> Self {
        match state {
            State::Waiting => Self::Waiting,
            State::Running => Self::Running,
            State::Done => Self::Good,
            State::Failed => Self::Bad,
            State::Cancelled => Self::Neutral,
        }
    }

    /// The CSS class for its colour.
    pub(super) fn class(self) -> &'static str {
        match self {
            Self::Good => "good",
            Self::Warning => "warning",
            Self::Bad => "bad",
            Self::Waiting => "waiting",
            Self::Running => "running",
            Self::Neutral => "neutral",
        }
    }

    /// The icon alone, hidden from screen readers.
    pub(super) fn icon(self) -> Markup {
        let path = match self {
            Self::Good => "M8 1a7 7 0 1 1 0 14A7 7 0 0 1 8 1Zm3.3 4.3L7 9.6 4.7 7.3 3.6 8.4 7 11.8l5.4-5.4Z",
            Self::Warning => "M8 1 15.5 14.5H.5ZM7.2 5.5v5h1.6v-5Zm0 6v1.6h1.6v-1.6Z",
            Self::Bad => {
                "M5 1h6l4 4v6l-4 4H5l-4-4V5Zm.6 3.5L4.5 5.6 6.9 8l-2.4 2.4 1.1 1.1L8 9.1l2.4 2.4 1.1-1.1L9.1 8l2.4-2.4-1.1-1.1L8 6.9Z"
            }
            Self::Waiting => {
                "M8 1a7 7 0 1 1 0 14A7 7 0 0 1 8 1Zm0 1.6a5.4 5.4 0 1 0 0 10.8A5.4 5.4 0 0 0 8 2.6ZM7.2 4.5h1.6v3.2l2.2 1.6-.9 1.3-2.9-2.1Z"
            }
            Self::Running => {
                "M8 1.5a6.5 6.5 0 0 1 5.9 3.8l1.3-.6v4.4l-3.7-2.3 1.1-.6A5 5 0 0 0 3 8H1.5A6.5 6.5 0 0 1 8 1.5ZM1 6.9l3.7 2.3-1.2.6A5 5 0 0 0 13 8h1.5a6.5 6.5 0 0 1-12.3 2.6L1 11.3Z"
            }
            Self::Neutral => {
                "M8 1a7 7 0 1 1 0 14A7 7 0 0 1 8 1Zm0 1.6a5.4 5.4 0 1 0 0 10.8A5.4 5.4 0 0 0 8 2.6ZM4.5 7.2h7v1.6h-7Z"
            }
        };
        html! {
            svg class={ "icon " (self.class()) } viewBox="0 0 16 16" width="16" height="16" aria-hidden="true" focusable="false" {
                path fill="currentColor" fill-rule="evenodd" d=(path) {}
            }
        }
    }

    /// The icon with a label.
    pub(super) fn with(self, words: &str) -> Markup {
        html! { span class={ "sign " (self.class()) } { (self.icon()) span { (words) } } }
    }
}
