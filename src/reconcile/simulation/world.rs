//! Both sides as the service meets them: each call takes its time, and may go wrong on the way.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard};
use std::time::Duration;

use async_trait::async_trait;
use jiff::civil::Date;
use tokio::time::Instant;

use super::counting;
use super::faults::{Call, Fate, Trouble};
use super::land;
use super::listing::{matches, with_an_odd_row, without_a_page};
use super::state::{Caller, Course, Effect, Stand, State};
use crate::domain::timesheet::WantedTimesheet;
use crate::domain::windows::{Days, Window, Written};
use crate::domain::work_log::{Directory, Facts, Kind, VEVENT};
use crate::domain::{KimaiId, WorkLogUri};
use crate::kimai::choices::{ChosenActivity, ChosenCustomer, ChosenProject, ChosenUser};
use crate::kimai::pace::How;
use crate::kimai::{Choices, CurrentUser, KimaiFault, Listed, Pace, Timesheet, TimesheetFilter, Timesheets};
use crate::source::{Link, Source};
use crate::triplestore::TriplestoreFault;

/// The world, shared by all who live in it.
pub(super) struct World {
    state: Mutex<State>,
    /// When the present runtime began, by its own timer and since the beginning of all.
    runtime: Mutex<Option<(Instant, i64)>>,
    pace: Arc<Pace>,
}

impl World {
    /// A world in which Kimai gets at most so many requests at a time.
    pub(super) fn new(seed: u64, most: usize) -> Self {
        let pace = Arc::new(Pace::new(1..=most));
        Self { state: Mutex::new(State::new(seed)), runtime: Mutex::default(), pace }
    }

    /// Time is that of the runtime that is entered now; it goes on from where it stood.
    pub(super) fn wake(&self) {
        let now = self.state().now;
        *self.runtime.lock().unwrap() = Some((Instant::now(), now));
    }

    /// Time stands still: the runtime is about to go.
    pub(super) fn freeze(&self) {
        drop(self.state());
        *self.runtime.lock().unwrap() = None;
    }

    /// The state as it is now.
    pub(super) fn state(&self) -> MutexGuard<'_, State> {
        let now = self
            .runtime
            .lock()
            .unwrap()
            .map(|(since, base)| base + i64::try_from(since.elapsed().as_millis()).unwrap());
        let mut state = self.state.lock().unwrap();
        if let Some(now) = now {
            state.turn_to(now);
        }
        state
    }

    /// Waits until `at`, in milliseconds since the beginning.
    pub(super) async fn sleep_until(&self, at: i64) {
        let wait = at - self.state().now;
        pause(wait.max(0).unsigned_abs()).await;
    }

    /// Sends what changes something. The course it took, and what came of it if it took effect.
    async fn send(&self, effect: Effect) -> (Option<Trouble>, Result<Option<Timesheet>, KimaiFault>) {
        let (course, caller) = {
            let mut state = self.state();
            (state.course(effect.call()), state.caller())
        };
        let mut flight = Flight { world: self, request: Some((effect, caller)) };
        pause(course.there).await;
        let done = flight.arrive(course);
        pause(course.back).await;
        (course.trouble, done)
    }

    async fn kimai_write(&self, effect: Effect) -> Result<Option<Timesheet>, KimaiFault> {
        let call = effect.call();
        let operation = call.operation();
        let place = self.pace.place(operation).await;
        let _place = place.ok_or_else(|| KimaiFault::crowded_out(operation))?;
        let since = Instant::now();
        let (trouble, done) = self.send(effect).await;
        let answer = trouble.map_or(done, |trouble| Err(trouble.of_kimai(call)));
        self.pace.ended(operation, How::of(&answer), since.elapsed());
        answer
    }

    async fn kimai_read<T>(&self, call: Call, read: impl FnOnce(&State) -> T) -> Result<T, KimaiFault> {
        let (trouble, found) = self.read(call, read).await;
        trouble.map_or(Ok(found), |trouble| Err(trouble.of_kimai(call)))
    }

    /// Reads in the middle of the way, as a server does: what is found may be old when it is told.
    async fn read<T>(&self, call: Call, read: impl FnOnce(&State) -> T) -> (Option<Trouble>, T) {
        let Course { trouble, there, back, .. } = self.state().course(call);
        pause(there).await;
        let found = read(&self.state());
        pause(back).await;
        (trouble, found)
    }

    async fn store_write(&self, effect: Effect) -> Result<(), TriplestoreFault> {
        match self.send(effect).await.0 {
            None | Some(Trouble::NotStored) => Ok(()),
            Some(trouble) => Err(trouble.of_triplestore()),
        }
    }

    async fn store_read<T: Default>(
        &self,
        call: Call,
        read: impl FnOnce(&State) -> T,
        half: impl FnOnce(T) -> T,
    ) -> Result<T, TriplestoreFault> {
        match self.read(call, read).await {
            (None, found) => Ok(found),
            (Some(Trouble::Empty), _) => Ok(T::default()),
            (Some(Trouble::Half), found) => Ok(half(found)),
            (Some(trouble), _) => Err(trouble.of_triplestore()),
        }
    }
}

/// Zero is no wait at all, as with a call that a cache answers.
async fn pause(milliseconds: u64) {
    if milliseconds > 0 {
        tokio::time::sleep(Duration::from_millis(milliseconds)).await;
    }
}

fn written(day: Date) -> Written {
    Written { text: day.to_string(), datatype: None }
}

/// An answer that was cut off in the middle.
fn first_half<K: Ord + Clone, V>(mut all: BTreeMap<K, V>) -> BTreeMap<K, V> {
    if let Some(middle) = all.keys().nth(all.len() / 2).cloned() {
        all.split_off(&middle);
    }
    all
}

/// A request on its way. It goes on without its caller, for a while.
struct Flight<'a> {
    world: &'a World,
    request: Option<(Effect, Caller)>,
}

impl Flight<'_> {
    fn arrive(&mut self, course: Course) -> Result<Option<Timesheet>, KimaiFault> {
        let Some((effect, caller)) = self.request.take() else { return Ok(None) };
        let mut state = self.world.state();
        if let (Some(_), Effect::Update(id, _)) = (course.trouble, &effect) {
            state.doubtful.insert(*id);
        }
        match course.fate {
            Fate::Now => state.apply(&effect, &caller),
            Fate::Late => {
                state.put_off(effect, caller, course);
                Ok(None)
            }
            Fate::Never | Fate::Either => Ok(None),
        }
    }
}

impl Drop for Flight<'_> {
    fn drop(&mut self) {
        if let Some((effect, caller)) = self.request.take() {
            self.world.state().leave_behind(effect, caller);
        }
    }
}

#[async_trait]
impl Timesheets for World {
    fn pace(&self) -> Arc<Pace> {
        Arc::clone(&self.pace)
    }

    async fn me(&self) -> Result<CurrentUser, KimaiFault> {
        let me = |state: &State| {
            let zone = if state.counting.token_away { "UTC" } else { "Europe/Brussels" };
            let (id, timezone) = (counting::SERVICE, Some(zone.to_owned()));
            CurrentUser { id, username: "sync".to_owned(), timezone, roles: Vec::new() }
        };
        self.kimai_read(Call::Look, me).await
    }

    async fn timesheet(&self, id: KimaiId) -> Result<Option<Timesheet>, KimaiFault> {
        let read = |state: &State| (state.now, state.sheets.get(&id).map(|sheet| sheet.row.clone()));
        let (at, row) = self.kimai_read(Call::Look, read).await?;
        let mut state = self.state();
        let who = state.caller().who;
        state.looked(&who, at, &[id]);
        Ok(row)
    }

    async fn some_timesheets(
        &self,
        filter: &TimesheetFilter,
        most: usize,
    ) -> Result<Vec<Timesheet>, KimaiFault> {
        let read = |state: &State| {
            let fitting = state.sheets.values().filter(|sheet| matches(filter, sheet));
            (state.now, fitting.map(|sheet| sheet.row.clone()).take(most).collect::<Vec<_>>())
        };
        let (at, rows) = self.kimai_read(Call::Several, read).await?;
        let ids: Vec<KimaiId> = rows.iter().map(|row| row.id).collect();
        let mut state = self.state();
        let who = state.caller().who;
        state.looked(&who, at, &ids);
        Ok(rows)
    }

    async fn timesheets(&self, filter: &TimesheetFilter) -> Result<Listed, KimaiFault> {
        let listed = |state: &State| {
            let timesheets = state.sheets.values().filter(|sheet| matches(filter, sheet));
            timesheets.map(|sheet| sheet.row.clone()).collect::<Vec<_>>()
        };
        match self.read(Call::List, listed).await {
            (None, timesheets) => Ok(Listed { timesheets, ..Listed::default() }),
            (Some(Trouble::RowOdd), timesheets) => Ok(with_an_odd_row(timesheets)),
            (Some(Trouble::PageLost), timesheets) => Ok(without_a_page(timesheets)),
            (Some(trouble), _) => Err(trouble.of_kimai(Call::List)),
        }
    }

    async fn newest(&self) -> Result<Option<KimaiId>, KimaiFault> {
        self.kimai_read(Call::Newest, |state| state.sheets.keys().next_back().copied()).await
    }

    async fn choices(&self, wanted: &WantedTimesheet) -> Result<Choices, KimaiFault> {
        let name = wanted.project.to_string();
        let project = ChosenProject {
            name,
            customer: None,
            visible: land::kimai_takes(wanted),
            end: None,
            global_activities: true,
        };
        let choices = Choices {
            project: Some(project),
            customer: Some(ChosenCustomer { name: "Customer".to_owned(), visible: true }),
            activity: Some(ChosenActivity { name: "Activity".to_owned(), project: None, visible: true }),
            user: Some(ChosenUser { seen: true, ..ChosenUser::unseen(wanted.user) }),
        };
        self.kimai_read(Call::Choices, |_| choices).await
    }

    async fn create(
        &self,
        wanted: &WantedTimesheet,
        _description: Option<&str>,
    ) -> Result<Timesheet, KimaiFault> {
        let made = self.kimai_write(Effect::Create(*wanted)).await?;
        made.ok_or_else(|| KimaiFault::unreadable(Call::Create.operation(), "no body"))
    }

    async fn update(
        &self,
        id: KimaiId,
        wanted: &WantedTimesheet,
        _description: Option<&str>,
    ) -> Result<Timesheet, KimaiFault> {
        let changed = self.kimai_write(Effect::Update(id, *wanted)).await?;
        changed.ok_or_else(|| KimaiFault::unreadable(Call::Update.operation(), "no body"))
    }

    async fn end_break(&self, id: KimaiId) -> Result<Timesheet, KimaiFault> {
        let changed = self.kimai_write(Effect::EndBreak(id)).await?;
        changed.ok_or_else(|| KimaiFault::unreadable(Call::Update.operation(), "no body"))
    }

    async fn delete(&self, id: KimaiId) -> Result<(), KimaiFault> {
        self.kimai_write(Effect::Delete(id)).await.map(drop)
    }
}

#[async_trait]
impl Source for World {
    async fn facts(&self, subject: &WorkLogUri) -> Result<Facts, TriplestoreFault> {
        let of = |state: &State| state.work_logs.get(subject).map(|stand| stand.facts.clone());
        self.store_read(Call::Facts, |state| of(state).unwrap_or_default(), |facts| facts).await
    }

    async fn facts_of(
        &self,
        subjects: &[WorkLogUri],
    ) -> Result<BTreeMap<WorkLogUri, Facts>, TriplestoreFault> {
        let read = |state: &State| {
            let found = subjects.iter().filter_map(|subject| Some((subject, state.work_logs.get(subject)?)));
            found.map(|(subject, stand)| (subject.clone(), stand.facts.clone())).collect::<BTreeMap<_, _>>()
        };
        self.store_read(Call::Facts, read, |facts| facts).await
    }

    async fn directory(&self, _facts: &[&Facts]) -> Result<Directory, TriplestoreFault> {
        self.store_read(Call::Directory, |state| state.directory.clone(), |directory| directory).await
    }

    async fn days(&self, first: Date, last: Date) -> Result<Days, TriplestoreFault> {
        let read = |state: &State| {
            let mut days = Days { exact: true, ..Days::default() };
            for (day, ..) in state.of_period(first, last) {
                *days.counts.entry(written(day)).or_default() += 1;
            }
            days
        };
        let half = |days: Days| Days { counts: first_half(days.counts), ..days };
        self.store_read(Call::OfPeriod, read, half).await
    }

    async fn of_window(&self, window: &Window) -> Result<BTreeMap<WorkLogUri, Facts>, TriplestoreFault> {
        let Window { first, last, written: days } = window;
        let read = |state: &State| {
            let mut within = state.of_period(*first, *last);
            within.retain(|(day, ..)| days.is_empty() || days.contains_key(&written(*day)));
            within.into_iter().map(|(_, work_log, facts)| (work_log.clone(), facts.clone())).collect()
        };
        // Cut off in the middle of a work log, and everything behind it.
        let half = |mut all: BTreeMap<WorkLogUri, Facts>| {
            all = first_half(all);
            if let Some(mut last) = all.last_entry() {
                last.get_mut().identifiers.clear();
                last.get_mut().tasks.clear();
            }
            all
        };
        self.store_read(Call::OfPeriod, read, half).await
    }

    async fn has_any(&self) -> Result<bool, TriplestoreFault> {
        // Tasks and persons, at least.
        self.store_read(Call::HasAny, |_| true, |has_any| has_any).await
    }

    async fn by_uuid(&self, _id: &str) -> Result<Option<WorkLogUri>, TriplestoreFault> {
        Ok(None)
    }

    async fn linked(&self, ids: &[KimaiId]) -> Result<BTreeMap<KimaiId, Vec<WorkLogUri>>, TriplestoreFault> {
        let read = |state: &State| {
            let mut linked: BTreeMap<KimaiId, Vec<WorkLogUri>> = BTreeMap::new();
            for (id, work_log) in state.subjects(ids, |_, stand| stand.is_live()) {
                linked.entry(id).or_default().push(work_log);
            }
            linked
        };
        self.store_read(Call::Linked, read, |linked| linked).await
    }

    async fn tombstones(&self, ids: &[KimaiId]) -> Result<BTreeMap<KimaiId, WorkLogUri>, TriplestoreFault> {
        let is_one = |work_log: &WorkLogUri, stand: &Stand| stand.facts.kind(work_log) == Kind::Tombstone;
        let read = |state: &State| state.subjects(ids, is_one).into_iter().collect();
        self.store_read(Call::Tombstones, read, |tombstones| tombstones).await
    }

    async fn dangling(&self) -> Result<BTreeMap<WorkLogUri, Vec<KimaiId>>, TriplestoreFault> {
        let read = |state: &State| {
            let all = state.work_logs.iter();
            let left = all.filter(|(work_log, stand)| stand.facts.kind(work_log) == Kind::Tombstone);
            left.map(|(work_log, stand)| (work_log.clone(), stand.facts.kimai_ids())).collect()
        };
        self.store_read(Call::Dangling, read, first_half).await
    }

    async fn referring(
        &self,
        iris: &[String],
        after: Option<&WorkLogUri>,
    ) -> Result<Vec<WorkLogUri>, TriplestoreFault> {
        let refers = |Stand { facts, .. }: &Stand| {
            facts.types.contains(VEVENT)
                && iris.iter().any(|iri| facts.tasks.contains(iri) || facts.persons.contains(iri))
        };
        let read = |state: &State| {
            let all =
                state.work_logs.iter().filter(|(work_log, _)| after.is_none_or(|after| *work_log > after));
            all.filter(|(_, stand)| refers(stand)).map(|(work_log, _)| work_log.clone()).collect()
        };
        self.store_read(Call::OfPeriod, read, |all: Vec<WorkLogUri>| all).await
    }

    async fn link(&self, links: &[Link]) -> Result<(), TriplestoreFault> {
        self.store_write(Effect::Link(links.to_vec())).await
    }
}
