//! Batches the questions of many runs into few statements.
//!
//! While one statement is in progress, the next fills up. The first of a burst are sent immediately; under load, each
//! waits for others, as long as its callers lose no time.
//!
//! # Guarantees
//! - An answer comes from a statement that was sent after its question was asked.
//! - A question that makes a statement fail does not affect the others: a refused statement is halved until the bad
//!   questions are found.

use std::panic::AssertUnwindSafe;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use async_trait::async_trait;
use futures_util::FutureExt;
use tokio::sync::oneshot::error::TryRecvError;
use tokio::sync::{Notify, oneshot};
use tokio::time::Instant;

use crate::domain::status::Gist;
use crate::work_logs::SourceFault;
// A question is at most one triple of an update.
use crate::triplestore::statement::BATCH as MOST;

/// How many more statements may be sent immediately, per second, and while each comes alone.
const BUDGET_A_SECOND: f64 = 1.0;
const BUDGET_A_SECOND_ALONE: f64 = 20.0;
/// The longest wait for others.
pub(super) const LONGEST_WAIT: Duration = Duration::from_secs(1);
/// How often to check whether waiting still costs nothing.
const LOOK: Duration = Duration::from_millis(10);
/// If this many questions also fail individually, the cause is not a question.
const MOST_FAILED: usize = 3;
/// How long to search for the bad question.
const LONGEST_SEARCH: Duration = Duration::from_mins(1);

/// What answers many questions at once.
#[async_trait]
pub(super) trait Statement: Send + Sync {
    /// A question.
    type Question: Clone + Send + Sync;
    /// Its answer.
    type Answer: Send;

    /// The answers to `questions`, in their order.
    async fn run(&self, questions: &[Self::Question]) -> Result<Vec<Self::Answer>, SourceFault>;

    /// How many statements are sent immediately at the start of a burst.
    fn budget(&self) -> f64 {
        0.0
    }

    /// Whether no further question can be expected soon.
    fn is_alone(&self) -> bool {
        false
    }

    /// How long the waiting questions may wait in total without any loss.
    fn patience(&self) -> Duration;
}

/// Questions for one kind of statement.
pub(super) struct Batcher<S: Statement> {
    statement: S,
    waiting: Mutex<Vec<Waiting<S>>>,
    /// Allows one statement at a time.
    turn: tokio::sync::Mutex<Budget>,
    /// Notifies a waiting caller that the batch is full.
    full: Notify,
}

type Reply<S> = Result<<S as Statement>::Answer, SourceFault>;

struct Waiting<S: Statement> {
    question: S::Question,
    reply: oneshot::Sender<Reply<S>>,
}

/// Statements that may be sent immediately.
struct Budget {
    most: f64,
    left: f64,
    at: Instant,
}

impl Budget {
    /// Takes one, if there is one.
    fn take(&mut self, alone: bool) -> bool {
        let a_second = if alone { BUDGET_A_SECOND_ALONE } else { BUDGET_A_SECOND };
        let more = self.at.elapsed().as_secs_f64() * a_second;
        (self.left, self.at) = ((self.left + more).min(self.most), Instant::now());
        let taken = self.left >= 1.0;
        self.left -= f64::from(u8::from(taken));
        taken
    }
}

impl<S: Statement> Batcher<S> {
    pub(super) fn new(statement: S) -> Self {
        let most = statement.budget();
        let budget = Budget { most, left: most, at: Instant::now() };
        Self {
            statement,
            waiting: Mutex::new(Vec::new()),
            turn: tokio::sync::Mutex::new(budget),
            full: Notify::new(),
        }
    }

    /// The answer to `question`.
    pub(super) async fn ask(&self, question: S::Question) -> Reply<S> {
        loop {
            let (reply, mut answer) = oneshot::channel();
            let count = {
                let mut waiting = self.waiting();
                waiting.push(Waiting { question: question.clone(), reply });
                waiting.len()
            };
            if count >= MOST {
                self.full.notify_one();
            }
            tokio::select! {
                biased;
                answered = &mut answer => if let Ok(answer) = answered { return answer },
                mut budget = self.turn.lock() => match answer.try_recv() {
                    // Not notified: this one sends the whole batch, and its own question must not be asked twice.
                    Err(TryRecvError::Empty) => {
                        drop(answer);
                        return self.lead(question, &mut budget).await;
                    }
                    Err(TryRecvError::Closed) => {}
                    Ok(answer) => return answer,
                },
            }
            // The caller that was to send the batch was cancelled.
        }
    }

    /// Sends all waiting questions, including `own`.
    async fn lead(&self, own: S::Question, budget: &mut Budget) -> Reply<S> {
        if !budget.take(self.statement.is_alone()) {
            self.wait_for_company().await;
        }
        let mut others = self.take();
        let mut questions: Vec<_> = others.iter().map(|waiting| waiting.question.clone()).collect();
        questions.push(own);
        match self.run(&questions).await {
            Ok(mut answers) if answers.len() == questions.len() => {
                let own = answers.pop();
                for (waiting, answer) in others.drain(..).zip(answers) {
                    let _ = waiting.reply.send(Ok(answer));
                }
                own.ok_or_else(|| missing(0))
            }
            Ok(answers) => Err(missing(answers.len())),
            Err(fault) => match questions.pop().filter(|_| !others.is_empty()) {
                Some(own) if fault.is_of_statement() => self.halve(others, own, fault).await,
                Some(own) => self.one_by_one(others, own, fault).await,
                None => Err(fault),
            },
        }
    }

    /// The statement is refused because of some of its questions: it is halved until each of those is alone with its
    /// own refusal, and all others have their answers. `k` bad ones of `n` cost `2 k log n` statements.
    async fn halve(&self, mut others: Vec<Waiting<S>>, own: S::Question, fault: SourceFault) -> Reply<S> {
        let since = Instant::now();
        let (reply, mut answer) = oneshot::channel();
        others.push(Waiting { question: own, reply });
        let mut refused = vec![(others, fault)];
        while let Some((mut first, fault)) = refused.pop() {
            if let [_] = first.as_slice() {
                tell(first, &fault);
                continue;
            }
            if since.elapsed() > LONGEST_SEARCH {
                // It is not known whether these are bad.
                let said = format!("not done yet, since others in the same statement were refused ({fault})");
                let gist = Gist::of(&said);
                tell(first, &SourceFault::Failed { said, gist });
                continue;
            }
            let second = first.split_off(first.len() / 2);
            for half in [first, second] {
                let questions: Vec<_> = half.iter().map(|waiting| waiting.question.clone()).collect();
                match self.run(&questions).await {
                    Ok(answers) if answers.len() == half.len() => {
                        for (waiting, answer) in half.into_iter().zip(answers) {
                            let _ = waiting.reply.send(Ok(answer));
                        }
                    }
                    Ok(answers) => tell(half, &missing(answers.len())),
                    Err(fault) if fault.is_of_statement() => refused.push((half, fault)),
                    Err(fault) => tell(half, &fault),
                }
            }
        }
        answer.try_recv().unwrap_or_else(|_| Err(missing(0)))
    }

    /// Some question may be the cause: each is asked alone, `own` first. If several fail, or if it takes long, the
    /// cause is something else, and the others get `fault`.
    async fn one_by_one(&self, others: Vec<Waiting<S>>, own: S::Question, fault: SourceFault) -> Reply<S> {
        let since = Instant::now();
        let own = self.alone(own).await;
        let mut failed = usize::from(own.is_err());
        for Waiting { question, reply } in others {
            let answer = if failed < MOST_FAILED && since.elapsed() < LONGEST_SEARCH {
                self.alone(question).await
            } else {
                Err(fault.clone())
            };
            failed += usize::from(answer.is_err());
            let _ = reply.send(answer);
        }
        own
    }

    async fn alone(&self, question: S::Question) -> Reply<S> {
        let answers = self.run(&[question]).await?;
        answers.into_iter().next().ok_or_else(|| missing(0))
    }

    /// Sends a statement. Cancellation counts as a failure, so that the other callers are not cancelled too.
    async fn run(&self, questions: &[S::Question]) -> Result<Vec<S::Answer>, SourceFault> {
        let run = AssertUnwindSafe(self.statement.run(questions)).catch_unwind();
        run.await.unwrap_or_else(|_| {
            let why = "this service broke off while it read it; please report this";
            Err(SourceFault::Unreadable(why.to_owned()))
        })
    }

    async fn wait_for_company(&self) {
        let since = Instant::now();
        while self.waiting().len() < MOST && since.elapsed() < self.statement.patience().min(LONGEST_WAIT) {
            tokio::select! {
                () = self.full.notified() => {}
                () = tokio::time::sleep(LOOK) => {}
            }
        }
    }

    /// The questions of the next statement, except the sender's own and those whose caller has gone.
    fn take(&self) -> Vec<Waiting<S>> {
        let mut waiting = self.waiting();
        waiting.retain(|waiting| !waiting.reply.is_closed());
        let count = waiting.len().min(MOST - 1);
        waiting.drain(..count).collect()
    }

    /// Never left in an inconsistent state, so a panic elsewhere does not matter.
    fn waiting(&self) -> MutexGuard<'_, Vec<Waiting<S>>> {
        self.waiting.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn tell<S: Statement>(all: Vec<Waiting<S>>, fault: &SourceFault) {
    for waiting in all {
        let _ = waiting.reply.send(Err(fault.clone()));
    }
}

fn missing(answers: usize) -> SourceFault {
    SourceFault::Unreadable(format!("it answered {answers} of several questions"))
}

#[cfg(test)]
mod tests;
