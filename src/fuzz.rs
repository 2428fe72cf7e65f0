//! Fuzzes every parser of external input: it may refuse, but never panic or hang.
//!
//! Each target begins with the files of `tests/fixtures/fuzz/<target>` and changes them at random. Inputs that once
//! failed become files there. `KIMAI_SYNC_FUZZ_SECONDS=600 cargo test --lib fuzz` runs each for that long;
//! `KIMAI_SYNC_FUZZ_SEED=7` tries others. The service's own routes are fuzzed in `http/fuzz_tests.rs`.

use std::collections::BTreeMap;
use std::path::Path;
use std::time::{Duration, Instant};

use rand_chacha::ChaCha8Rng;
use rand_chacha::rand_core::{RngCore as _, SeedableRng as _};

use crate::delta::message::Reader;
use crate::domain::CronPattern;
use crate::domain::work_log::{parse_day, parse_duration};
use crate::effort;
use crate::settings::Settings;
use crate::triplestore::embedded::Embedded;
use crate::triplestore::results;

/// The default number of inputs per target.
const TRIES: usize = 300;
/// The time limit for one input, in a debug build on a busy machine.
const LONGEST: Duration = Duration::from_secs(20);
/// Characters with a meaning for some parser.
const SIGNS: &[u8] = b"{}[]()<>\"'\\/,;:.#%&=+-*!?^|@_ \n\r\t\0\x7f\xc3\xa9\xff019aAuUTPZ";

/// Inputs of one target.
pub(crate) struct Inputs {
    random: ChaCha8Rng,
    seeds: Vec<Vec<u8>>,
    given: usize,
    end: Option<Instant>,
}

impl Inputs {
    /// Those of `target`.
    pub(crate) fn of(target: &str) -> Self {
        let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures/fuzz").join(target);
        let mut files: Vec<_> =
            std::fs::read_dir(&folder).unwrap().map(|file| file.unwrap().path()).collect();
        files.sort();
        let seeds: Vec<_> = files.iter().map(|file| std::fs::read(file).unwrap()).collect();
        assert!(!seeds.is_empty(), "{folder:?} is empty");
        let end = effort::number("KIMAI_SYNC_FUZZ_SECONDS")
            .map(|seconds| Instant::now() + Duration::from_secs(seconds));
        let random = ChaCha8Rng::seed_from_u64(effort::number("KIMAI_SYNC_FUZZ_SEED").unwrap_or_default());
        Self { random, seeds, given: 0, end }
    }

    fn below(&mut self, most: usize) -> usize {
        usize::try_from(self.random.next_u64() % (most.max(1) as u64)).unwrap()
    }

    fn changed(&mut self) -> Vec<u8> {
        let mut input = self.seeds[self.given % self.seeds.len()].clone();
        for _ in 0..=self.below(6) {
            let (at, other) = (self.below(input.len() + 1), self.below(self.seeds.len()));
            let end = (at + self.below(12)).min(input.len());
            let sign = SIGNS[self.below(SIGNS.len())];
            match self.below(8) {
                0 => input.insert(at, sign),
                1 => drop(input.drain(at..end)),
                2 => drop(input.splice(at..end, [sign])),
                3 => input.truncate(at),
                4 => {
                    let times = 1 << self.below(12);
                    let part = input[at..end].repeat(times);
                    drop(input.splice(at..at, part));
                }
                5 => {
                    let from = self.below(self.seeds[other].len());
                    let part = self.seeds[other][from..].to_vec();
                    drop(input.splice(at..end, part));
                }
                6 => input.insert(at, self.random.next_u64().to_le_bytes()[0]),
                _ => {
                    let times = 1 << self.below(13);
                    drop(input.splice(at..at, vec![sign; times]));
                }
            }
        }
        input
    }
}

impl Iterator for Inputs {
    type Item = Vec<u8>;

    fn next(&mut self) -> Option<Vec<u8>> {
        let goes_on = self.end.map_or(self.given < TRIES, |end| Instant::now() < end);
        // First the files, unchanged.
        let input = match self.seeds.get(self.given) {
            Some(seed) => seed.clone(),
            None if goes_on => self.changed(),
            None => return None,
        };
        self.given += 1;
        Some(input)
    }
}

/// Prints the input if `read` panics.
pub(crate) struct Watched(Vec<u8>, Instant);

impl Watched {
    pub(crate) fn new(input: &[u8]) -> Self {
        Self(input.to_vec(), Instant::now())
    }
}

impl Drop for Watched {
    fn drop(&mut self) {
        let taken = self.1.elapsed();
        if std::thread::panicking() || taken > LONGEST {
            let text = String::from_utf8_lossy(&self.0);
            eprintln!("after {taken:?} with an input of {} bytes: {text:?}", self.0.len());
        }
        assert!(std::thread::panicking() || taken <= LONGEST, "it took {taken:?}");
    }
}

/// Feeds `read` with the inputs of `target`.
pub(crate) fn play(target: &str, mut read: impl FnMut(&[u8])) {
    for input in Inputs::of(target) {
        let _watched = Watched::new(&input);
        read(&input);
    }
}

#[test]
fn deltas() {
    play("delta", |input| {
        let mut whole = Reader::default();
        let read = whole.read(input).and_then(|()| whole.end()).is_ok();
        let mut pieces = Reader::default();
        let in_pieces =
            input.chunks(3).try_for_each(|piece| pieces.read(piece)).and_then(|()| pieces.end()).is_ok();
        assert_eq!(read, in_pieces, "where it is cut makes no difference");
        if read {
            serde_json::from_slice::<serde::de::IgnoredAny>(input).expect("what is a delta is JSON");
        }
    });
}

#[test]
fn results_of_a_triplestore() {
    play("results", |input| drop(results::parse(input)));
}

#[test]
fn cron_patterns() {
    let now = "2026-11-27T20:00:00Z".parse().unwrap();
    play("cron", |input| {
        if let Ok(pattern) = CronPattern::parse(&String::from_utf8_lossy(input)) {
            assert!(pattern.next_after(now).is_none_or(|next| next > now));
        }
    });
}

#[test]
fn durations_and_days() {
    play("duration", |input| {
        let text = String::from_utf8_lossy(input);
        let _ = (parse_duration(&text), parse_day(&text));
    });
}

#[test]
fn settings() {
    play("settings", |input| {
        let text = String::from_utf8_lossy(input);
        let pairs = text.lines().filter_map(|line| line.split_once('='));
        let vars: BTreeMap<_, _> = pairs.map(|(name, value)| (name.to_owned(), value.to_owned())).collect();
        let _ = Settings::from_vars(vars).map_err(|fault| fault.to_string());
    });
}

/// What the bounds accept neither overflows a stack nor takes long.
#[tokio::test]
async fn statements() {
    let store = Embedded::in_memory().unwrap().with_time_limit(Duration::from_secs(5));
    let triples = (0..50).map(|n| format!("<http://x/{n}> <http://x/p> <http://x/{}> . ", n % 7));
    let triples = triples.collect::<Vec<_>>().concat();
    for input in Inputs::of("sparql") {
        let _watched = Watched::new(&input);
        let text = String::from_utf8_lossy(&input);
        let _ = store.execute(&format!("INSERT DATA {{ {triples} }}")).await;
        let _ = (store.query(&text).await, store.execute(&text).await);
    }
}
