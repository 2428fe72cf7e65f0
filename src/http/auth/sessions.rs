//! Login sessions. Kept in memory: a restart of the service logs everybody out.

use std::collections::HashMap;
use std::fmt::Write as _;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use rand::TryRngCore;
use rand::rngs::OsRng;
use tokio::time::Instant;

use super::token::{Kept, kept};

/// How long a login lasts, regardless of activity.
pub(super) const LIFETIME: Duration = Duration::from_hours(12);
/// The maximum number of sessions; one more ends the oldest.
const MOST: usize = 256;

/// The open sessions. Only digests of the IDs are stored and compared, so neither memory nor timing reveals an ID.
#[derive(Debug, Default)]
pub(super) struct Sessions {
    /// When each session ends.
    open: Mutex<HashMap<Kept, Instant>>,
}

impl Sessions {
    /// Opens a session and returns its ID: 256 random bits, as hexadecimal digits.
    pub(super) fn open(&self, now: Instant) -> Result<String, <OsRng as TryRngCore>::Error> {
        let mut random = [0; 32];
        OsRng.try_fill_bytes(&mut random)?;
        let id = random.iter().fold(String::new(), |mut id, byte| {
            let _ = write!(id, "{byte:02x}");
            id
        });
        let mut open = self.lock();
        open.retain(|_, ends| *ends > now);
        while open.len() >= MOST {
            let Some(oldest) = open.iter().min_by_key(|(_, ends)| **ends).map(|(kept, _)| *kept) else {
                break;
            };
            open.remove(&oldest);
        }
        open.insert(kept(id.as_bytes()), now + LIFETIME);
        Ok(id)
    }

    /// Whether `id` names a session that has not ended.
    pub(super) fn is_open(&self, id: &str, now: Instant) -> bool {
        self.lock().get(&kept(id.as_bytes())).is_some_and(|ends| *ends > now)
    }

    /// Ends a session.
    pub(super) fn close(&self, id: &str) {
        self.lock().remove(&kept(id.as_bytes()));
    }

    fn lock(&self) -> MutexGuard<'_, HashMap<Kept, Instant>> {
        self.open.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_session_lasts_twelve_hours_or_until_it_is_closed() {
        let (sessions, start) = (Sessions::default(), Instant::now());
        let (one, other) = (sessions.open(start).unwrap(), sessions.open(start).unwrap());
        assert_eq!((one.len(), one.bytes().all(|byte| byte.is_ascii_hexdigit())), (64, true));
        assert_ne!(one, other);
        let last = start + Duration::from_hours(12) - Duration::from_secs(1);
        assert!(sessions.is_open(&one, last) && sessions.is_open(&other, last));
        assert!(!sessions.is_open(&one, last + Duration::from_secs(1)), "being used makes none longer");
        sessions.close(&one);
        assert!(!sessions.is_open(&one, start) && sessions.is_open(&other, start));
        for guess in ["", "0", &one[..63], &one.to_uppercase(), &other.to_uppercase()] {
            assert!(!sessions.is_open(guess, start), "{guess}");
        }
        assert!(!format!("{sessions:?}").contains(&other));
    }

    #[test]
    fn there_are_only_so_many_and_the_oldest_goes_first() {
        let (sessions, start) = (Sessions::default(), Instant::now());
        let ids: Vec<String> =
            (0..300).map(|second| sessions.open(start + Duration::from_secs(second)).unwrap()).collect();
        let now = start + Duration::from_mins(5);
        let open: Vec<bool> = ids.iter().map(|id| sessions.is_open(id, now)).collect();
        assert_eq!(open, [vec![false; 300 - MOST], vec![true; MOST]].concat());
        sessions.open(start + Duration::from_hours(24)).unwrap();
        assert_eq!(sessions.lock().len(), 1, "what has ended is forgotten");
    }
}
