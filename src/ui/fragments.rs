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

/// A page: its title and its parts.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct Fragments {
    /// A short status, for the title; screen readers announce changes.
    pub(super) title: String,
    /// In the order in which they were added.
    pub(super) all: Vec<Fragment>,
    /// Whether it will not change any more.
    pub(super) settled: bool,
    /// How long not to gather it again: pages that read from Kimai or the triplestore are gathered less often.
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

    /// A part, for the page.
    pub(super) fn get(&self, name: &str) -> Markup {
        let fragment = self.all.iter().find(|fragment| fragment.name == name);
        PreEscaped(fragment.map(|fragment| fragment.html.clone()).unwrap_or_default())
    }

    /// What differs from `before`: the title if it changed, and parts.
    pub(super) fn since(&self, before: &Self) -> (Option<&str>, Vec<&Fragment>) {
        let title = (self.title != before.title).then_some(self.title.as_str());
        (title, self.all.iter().filter(|fragment| !before.all.contains(fragment)).collect())
    }
}
