//! The values of one property of a subject.

use std::ops::Deref;

use smallvec::SmallVec;

/// Texts in order, each once. Nearly always one, and a period has tens of thousands of such: so that one takes no
/// memory beside its text.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Values(SmallVec<[String; 1]>);

impl Values {
    /// Just this one.
    pub fn only(text: impl Into<String>) -> Self {
        std::iter::once(text).collect()
    }

    /// Adds a text, if it is not there yet.
    pub fn insert(&mut self, text: String) {
        if let Err(place) = self.0.binary_search(&text) {
            self.0.insert(place, text);
        }
    }

    /// Whether `text` is one of them.
    pub fn contains(&self, text: &str) -> bool {
        self.0.iter().any(|one| one == text)
    }

    /// Removes what `keep` does not want.
    pub fn retain(&mut self, mut keep: impl FnMut(&str) -> bool) {
        self.0.retain(|text| keep(text));
    }

    /// Removes all.
    pub fn clear(&mut self) {
        self.0.clear();
    }
}

impl Deref for Values {
    type Target = [String];

    fn deref(&self) -> &[String] {
        &self.0
    }
}

impl<T: Into<String>> Extend<T> for Values {
    fn extend<I: IntoIterator<Item = T>>(&mut self, texts: I) {
        texts.into_iter().for_each(|text| self.insert(text.into()));
    }
}

impl<T: Into<String>> FromIterator<T> for Values {
    fn from_iter<I: IntoIterator<Item = T>>(texts: I) -> Self {
        let mut values = Self::default();
        values.extend(texts);
        values
    }
}

impl IntoIterator for Values {
    type Item = String;
    type IntoIter = smallvec::IntoIter<[String; 1]>;

    fn into_iter(self) -> Self::IntoIter {
        self.0.into_iter()
    }
}

impl<'a> IntoIterator for &'a Values {
    type Item = &'a String;
    type IntoIter = std::slice::Iter<'a, String>;

    fn into_iter(self) -> Self::IntoIter {
        self.0.iter()
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn they_are_a_set_in_order(
            texts in prop::collection::vec("[ab]{0,2}", 0..6),
            other in "[ab]{0,2}",
        ) {
            let mut values: Values = texts.iter().map(String::as_str).collect();
            let mut set: BTreeSet<&str> = texts.iter().map(String::as_str).collect();
            prop_assert_eq!(values.contains(&other), set.contains(other.as_str()));
            prop_assert_eq!(values.first().map(String::as_str), set.first().copied());
            values.retain(|text| text != other);
            set.remove(other.as_str());
            prop_assert_eq!(values.iter().collect::<Vec<_>>(), set.iter().collect::<Vec<_>>());
            values.insert(other.clone());
            set.insert(&other);
            prop_assert_eq!(values.into_iter().collect::<Vec<_>>(), set.into_iter().collect::<Vec<_>>());
        }
    }
}
