//! Both sides as the service sees them: each call takes time, and may fail on the way.

mod triplestore;

use crate::trackers::kimai;
use crate::trackers::kimai::fault;
use std::sync::{Arc, Mutex, MutexGuard};
use std::time::Duration;

use async_trait::async_trait;
use tokio::time::Instant;

use super::counting;
use super::faults::{Call, Fate, Trouble};
use super::fixtures;
use super::listing::{matches, with_an_odd_row, without_a_page};
use super::profile::Profile;
use super::state::{Caller, Course, Effect, State};
use crate::domain::timesheet::DesiredEntry;
use crate::domain::{EntryId, Watermark};
use crate::trackers::Capabilities;
use crate::trackers::adaptive_concurrency::How;
use crate::trackers::kimai::choices::{ChosenActivity, ChosenCustomer, ChosenProject, ChosenUser};
use crate::trackers::kimai::{Choices, CurrentUser};
use crate::trackers::{AdaptiveLimiter, Listed, TrackerFault};
use crate::trackers::{EntryFilter, TimeEntry, Tracker};

/// The world, shared by all who live in it.
pub(super) struct World {
    state: Mutex<State>,
    /// When the present runtime began, by its own timer and since the beginning of all.
    runtime: Mutex<Option<(Instant, i64)>>,
    limiter: Arc<AdaptiveLimiter>,
}

impl World {
    /// A world in which Kimai gets at most so many requests at a time.
    pub(super) fn new(seed: u64, profile: Profile, most: usize) -> Self {
        let limiter = Arc::new(AdaptiveLimiter::new(1..=most));
        Self { state: Mutex::new(State::new(seed, profile)), runtime: Mutex::default(), limiter }
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
    async fn send(&self, effect: Effect) -> (Option<Trouble>, Result<Option<TimeEntry>, TrackerFault>) {
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

    async fn kimai_write(&self, effect: Effect) -> Result<Option<TimeEntry>, TrackerFault> {
        let call = effect.call();
        let operation = call.operation();
        let permit = self.limiter.permit(operation).await;
        let _permit = permit.ok_or_else(|| TrackerFault::crowded_out(kimai::NAME, operation))?;
        let since = Instant::now();
        let (trouble, done) = self.send(effect).await;
        let answer = trouble.map_or(done, |trouble| Err(trouble.of_kimai(call)));
        self.limiter.ended(operation, How::of(&answer), since.elapsed());
        answer
    }

    async fn kimai_read<T>(&self, call: Call, read: impl FnOnce(&State) -> T) -> Result<T, TrackerFault> {
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
}

/// Zero is no wait at all, as with a call that a cache answers.
async fn pause(milliseconds: u64) {
    if milliseconds > 0 {
        tokio::time::sleep(Duration::from_millis(milliseconds)).await;
    }
}

/// A request on its way. It goes on without its caller, for a while.
struct Flight<'a> {
    world: &'a World,
    request: Option<(Effect, Caller)>,
}

impl Flight<'_> {
    fn arrive(&mut self, course: Course) -> Result<Option<TimeEntry>, TrackerFault> {
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
impl Tracker for World {
    fn limiter(&self) -> Arc<AdaptiveLimiter> {
        Arc::clone(&self.limiter)
    }

    fn capabilities(&self) -> Capabilities {
        self.state().profile.capabilities()
    }

    async fn me(&self) -> Result<CurrentUser, TrackerFault> {
        let me = |state: &State| {
            let zone = if state.counting.token_away { "UTC" } else { "Europe/Brussels" };
            let (id, timezone) = (counting::SERVICE, Some(zone.to_owned()));
            CurrentUser { id, username: "sync".to_owned(), timezone, roles: Vec::new() }
        };
        self.kimai_read(Call::Look, me).await
    }

    async fn timesheet(&self, id: EntryId) -> Result<Option<TimeEntry>, TrackerFault> {
        let read =
            |state: &State| (state.now, state.timesheets.get(&id).map(|timesheet| timesheet.row.clone()));
        let (at, row) = self.kimai_read(Call::Look, read).await?;
        let mut state = self.state();
        let who = state.caller().who;
        state.looked(&who, at, &[id]);
        Ok(row)
    }

    async fn some_timesheets(
        &self,
        filter: &EntryFilter,
        most: usize,
    ) -> Result<Vec<TimeEntry>, TrackerFault> {
        let read = |state: &State| {
            let fitting = state.timesheets.values().filter(|timesheet| matches(filter, timesheet));
            (state.now, fitting.map(|timesheet| timesheet.row.clone()).take(most).collect::<Vec<_>>())
        };
        let (at, rows) = self.kimai_read(Call::Several, read).await?;
        let ids: Vec<EntryId> = rows.iter().map(|row| row.id).collect();
        let mut state = self.state();
        let who = state.caller().who;
        state.looked(&who, at, &ids);
        Ok(rows)
    }

    async fn timesheets(&self, filter: &EntryFilter) -> Result<Listed, TrackerFault> {
        let listed = |state: &State| {
            let timesheets = state.timesheets.values().filter(|timesheet| matches(filter, timesheet));
            timesheets.map(|timesheet| timesheet.row.clone()).collect::<Vec<_>>()
        };
        match self.read(Call::List, listed).await {
            (None, timesheets) => Ok(Listed { timesheets, ..Listed::default() }),
            (Some(Trouble::RowOdd), timesheets) => Ok(with_an_odd_row(timesheets)),
            (Some(Trouble::PageLost), timesheets) => {
                Ok(without_a_page(timesheets, self.capabilities().order))
            }
            (Some(trouble), _) => Err(trouble.of_kimai(Call::List)),
        }
    }

    async fn newest(&self) -> Result<Option<Watermark>, TrackerFault> {
        let newest = |state: &State| {
            let order = state.profile.capabilities().order;
            state.timesheets.keys().filter_map(|id| order.position(*id)).max()
        };
        self.kimai_read(Call::Newest, newest).await
    }

    async fn choices(&self, wanted: &DesiredEntry) -> Result<Choices, TrackerFault> {
        let name = wanted.project.to_string();
        let project = ChosenProject {
            name,
            customer: None,
            visible: fixtures::kimai_takes(wanted),
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
        wanted: &DesiredEntry,
        _description: Option<&str>,
    ) -> Result<TimeEntry, TrackerFault> {
        let made = self.kimai_write(Effect::Create(*wanted)).await?;
        made.ok_or_else(|| fault::unreadable(Call::Create.operation(), "no body"))
    }

    async fn update(
        &self,
        id: EntryId,
        wanted: &DesiredEntry,
        _description: Option<&str>,
    ) -> Result<TimeEntry, TrackerFault> {
        let changed = self.kimai_write(Effect::Update(id, *wanted)).await?;
        changed.ok_or_else(|| fault::unreadable(Call::Update.operation(), "no body"))
    }

    async fn end_break(&self, id: EntryId) -> Result<TimeEntry, TrackerFault> {
        let changed = self.kimai_write(Effect::EndBreak(id)).await?;
        changed.ok_or_else(|| fault::unreadable(Call::Update.operation(), "no body"))
    }

    async fn delete(&self, id: EntryId) -> Result<(), TrackerFault> {
        self.kimai_write(Effect::Delete(id)).await.map(drop)
    }
}
