//! A page in named parts, so that only the changed ones are sent.

use std::time::Duration;

use maud::{Markup, PreEscaped};

use crate::escape::for_page;

/// One part: an element whose `id` is its name.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Fragment {
    /// Its name.
    pub(super) name: &'static str,
    /// The element.
    pub(super) html: String,
}

/// A page: what stands in the title, and its parts.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct Fragments {
    /// The state, in few words: in the title, and read out when it changes.
    pub(super) title: String,
    /// In the order in which they were added.
    pub(super) all: Vec<Fragment>,
    /// Whether nothing of it will change any more.
    pub(super) settled: bool,
    /// How long nobody looks again after it was gathered: what asks the neighbours is gathered less often.
    pub(super) pause: Duration,
}

impl Fragments {
    /// A page without parts yet.
    pub(super) fn new(title: impl Into<String>) -> Self {
        Self { title: title.into(), ..Self::default() }
    }

    /// Adds a part; `html` is one element with `name` as its id.
    pub(super) fn add(&mut self, name: &'static str, html: Markup) {
        self.all.push(Fragment { name, html: for_page(&html.into_string()).into_owned() });
    }

    /// A part, to stand in the page.
    pub(super) fn get(&self, name: &str) -> Markup {
        let fragment = self.all.iter().find(|fragment| fragment.name == name);
        PreEscaped(fragment.map(|fragment| fragment.html.clone()).unwrap_or_default())
    }

    /// What is not the same in `before`: the title if it changed, and parts.
    pub(super) fn since(&self, before: &Self) -> (Option<&str>, Vec<&Fragment>) {
        let title = (self.title != before.title).then_some(self.title.as_str());
        (title, self.all.iter().filter(|fragment| !before.all.contains(fragment)).collect())
    }
}
