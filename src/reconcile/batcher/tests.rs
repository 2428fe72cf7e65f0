use std::collections::BTreeSet;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use futures_util::future::join_all;

use super::*;
use crate::domain::Code;

/// Doubles numbers, ten milliseconds at a time.
#[derive(Default)]
struct Doubles {
    asked: Mutex<Vec<Vec<u64>>>,
    /// Numbers that make their statement fail, or break off.
    poison: BTreeSet<u64>,
    breaks: BTreeSet<u64>,
    is_down: bool,
    /// Numbers that make their statement be refused.
    refused: BTreeSet<u64>,
    /// Milliseconds.
    patience: AtomicU64,
}

impl Doubles {
    fn sizes(&self) -> Vec<usize> {
        self.asked.lock().unwrap().iter().map(Vec::len).collect()
    }
}

#[async_trait]
impl Statement for Arc<Doubles> {
    type Question = u64;
    type Answer = u64;

    async fn run(&self, questions: &[u64]) -> Result<Vec<u64>, SourceFault> {
        self.asked.lock().unwrap().push(questions.to_vec());
        tokio::time::sleep(Duration::from_millis(10)).await;
        assert!(!questions.iter().any(|number| self.breaks.contains(number)), "on purpose");
        if self.is_down || questions.iter().any(|number| self.poison.contains(number)) {
            return Err(SourceFault::Transient("it answered 500".to_owned()));
        }
        if questions.iter().any(|number| self.refused.contains(number)) {
            return Err(SourceFault::Refused {
                said: "no graph takes it".into(),
                code: Code::TriplestoreRefusedWrite,
            });
        }
        Ok(questions.iter().map(|number| 2 * number).collect())
    }

    fn budget(&self) -> f64 {
        3.0
    }

    fn patience(&self) -> Duration {
        Duration::from_millis(self.patience.load(Ordering::Relaxed))
    }
}

fn batcher(doubles: Doubles) -> (Arc<Doubles>, Batcher<Arc<Doubles>>) {
    let doubles = Arc::new(doubles);
    (Arc::clone(&doubles), Batcher::new(doubles))
}

async fn ask_all(
    batcher: &Batcher<Arc<Doubles>>,
    numbers: impl Iterator<Item = u64>,
) -> Vec<Reply<Arc<Doubles>>> {
    join_all(numbers.map(|number| batcher.ask(number))).await
}

#[tokio::test(start_paused = true)]
async fn one_alone_goes_at_once_and_gets_its_own_answer() {
    let (doubles, batcher) = batcher(Doubles { patience: 1000.into(), ..Doubles::default() });
    let since = Instant::now();
    assert_eq!(batcher.ask(4).await, Ok(8));
    assert_eq!(since.elapsed(), Duration::from_millis(10));
    assert_eq!(doubles.sizes(), [1]);
}

#[tokio::test(start_paused = true)]
async fn each_of_many_gets_its_own_answer_in_few_statements() {
    let (doubles, batcher) = batcher(Doubles::default());
    let answers = ask_all(&batcher, 0..1000).await;
    assert!(answers.into_iter().eq((0..1000).map(|number| Ok(2 * number))));
    // The first one found nobody else waiting.
    let sizes = doubles.sizes();
    assert_eq!((sizes.len(), sizes.iter().max()), (11, Some(&MOST)), "{sizes:?}");
}

#[tokio::test(start_paused = true)]
async fn the_first_of_a_burst_go_at_once_and_what_follows_waits_for_company() {
    let (doubles, batcher) = batcher(Doubles { patience: 500.into(), ..Doubles::default() });
    // One each 12 ms, for 1.2 s.
    let asked = (0..100).map(async |number| {
        tokio::time::sleep(Duration::from_millis(12 * number)).await;
        let since = Instant::now();
        assert_eq!(batcher.ask(number).await, Ok(2 * number));
        since.elapsed()
    });
    let waited = join_all(asked).await;
    let sizes = doubles.sizes();
    assert_eq!(sizes[..3], [1, 1, 1]);
    assert!(sizes.len() <= 3 + 4, "{sizes:?}");
    assert!(waited.iter().all(|waited| *waited <= Duration::from_millis(530)), "{waited:?}");
}

#[tokio::test(start_paused = true)]
async fn nobody_waits_longer_once_it_is_a_loss() {
    let (doubles, batcher) = batcher(Doubles { patience: 900.into(), ..Doubles::default() });
    ask_all(&batcher, 0..1).await;
    ask_all(&batcher, 1..2).await;
    ask_all(&batcher, 2..3).await;
    let since = Instant::now();
    let hurries = async {
        tokio::time::sleep(Duration::from_millis(100)).await;
        doubles.patience.store(0, Ordering::Relaxed);
    };
    tokio::join!(ask_all(&batcher, 3..9), hurries);
    assert!(since.elapsed() <= Duration::from_millis(120), "{:?}", since.elapsed());
    assert_eq!(doubles.sizes().last(), Some(&6));
}

#[tokio::test(start_paused = true)]
async fn one_that_spoils_its_statement_costs_no_other_its_answer() {
    let (poison, breaks) = (BTreeSet::from([17]), BTreeSet::from([30]));
    let (doubles, batcher) = batcher(Doubles { poison, breaks, ..Doubles::default() });
    let answers = ask_all(&batcher, 0..50).await;
    for (number, answer) in (0..).zip(answers) {
        assert_eq!(answer.is_err(), number == 17 || number == 30, "{number}");
    }
    assert_eq!(doubles.sizes().len(), 1 + 50);
}

#[tokio::test(start_paused = true)]
async fn a_refused_statement_is_halved_until_those_to_blame_are_found() {
    let table: [(&[u64], usize); 5] =
        [(&[], 0), (&[1], 14), (&[50], 14), (&[7, 80], 28), (&[0, 1, 2, 3, 98, 99], 80)];
    for (refused, most) in table {
        let refused: BTreeSet<u64> = refused.iter().copied().collect();
        let (doubles, batcher) = batcher(Doubles { refused: refused.clone(), ..Doubles::default() });
        let answers = ask_all(&batcher, 0..MOST as u64).await;
        for (number, answer) in (0..).zip(answers) {
            let wanted = if refused.contains(&number) {
                Err(SourceFault::Refused {
                    said: "no graph takes it".into(),
                    code: Code::TriplestoreRefusedWrite,
                })
            } else {
                Ok(2 * number)
            };
            assert_eq!(answer, wanted, "{number} of {refused:?}");
        }
        // The first one alone, then all others.
        let statements = doubles.sizes().len();
        assert!(statements <= 2 + most, "{statements} for {refused:?}");
    }
}

#[tokio::test(start_paused = true)]
async fn of_all_that_are_refused_each_gets_its_own_refusal() {
    let (doubles, batcher) = batcher(Doubles { refused: (0..100).collect(), ..Doubles::default() });
    let answers = ask_all(&batcher, 0..100).await;
    assert!(answers.iter().all(|answer| matches!(answer, Err(SourceFault::Refused { .. }))));
    assert!(doubles.sizes().len() <= 200, "{}", doubles.sizes().len());
}

#[tokio::test(start_paused = true)]
async fn a_triplestore_that_is_down_is_not_asked_for_each() {
    let (doubles, batcher) = batcher(Doubles { is_down: true, ..Doubles::default() });
    let answers = ask_all(&batcher, 0..50).await;
    assert!(answers.iter().all(Result::is_err));
    // The first one alone, the others together, and those that were to show whether it was them.
    assert_eq!(doubles.sizes().len(), 1 + 1 + MOST_FAILED);
}

#[tokio::test(start_paused = true)]
async fn who_goes_away_takes_nobody_along() {
    let (doubles, batcher) = batcher(Doubles::default());
    let (mut leads, mut waits) = (Box::pin(batcher.ask(1)), Box::pin(batcher.ask(2)));
    assert!(leads.as_mut().now_or_never().is_none());
    assert!(waits.as_mut().now_or_never().is_none());
    let mut leaves = Box::pin(batcher.ask(3));
    assert!(leaves.as_mut().now_or_never().is_none());
    // One broke off in the middle of its statement, one before it was asked.
    drop((leads, leaves));
    assert_eq!(waits.await, Ok(4));
    assert_eq!(batcher.ask(5).await, Ok(10));
    let asked = doubles.asked.lock().unwrap().clone();
    assert!(!asked.iter().flatten().any(|number| *number == 3), "{asked:?}");
}
