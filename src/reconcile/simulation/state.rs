//! The true state of both sides, and how requests change it. No time passes here.

use std::collections::{BTreeMap, BTreeSet, HashMap};

use jiff::Timestamp;
use jiff::civil::Date;
use rand::{Rng, SeedableRng};
use rand_chacha::ChaCha8Rng;

use super::counting::Counting;
pub(super) use super::effect::Effect;
use super::fake_tracker::FakeTimesheet;
use super::faults::{Call, Fate, Script, TIME_LIMIT, Trouble, Weather};
use super::fixtures;
use super::history::{History, What, Who};
use super::profile::Profile;
pub(super) use super::stand::Stand;
use crate::domain::timesheet::DesiredEntry;
use crate::domain::work_log::{Directory, Facts};
use crate::domain::{EntryId, WorkLogUri};
use crate::trackers::TimeEntry;
use crate::trackers::TrackerFault;
use crate::work_logs::Link;

/// The caller, and when that run or sweep began to read the state.
#[derive(Debug, Clone)]
pub(super) struct Caller {
    pub(super) who: Who,
    pub(super) since: i64,
    /// The storage it works with: how many were lost before.
    pub(super) storage: u32,
    /// Whether somebody requested to overwrite exported timesheets.
    pub(super) leave: bool,
}

/// The fate of one call.
#[derive(Debug, Clone, Copy)]
pub(super) struct Course {
    pub(super) trouble: Option<Trouble>,
    pub(super) fate: Fate,
    /// Milliseconds until it takes effect, and from then until the caller knows.
    pub(super) there: u64,
    pub(super) back: u64,
}

/// The duration in milliseconds of a call without a response.
#[expect(clippy::cast_possible_truncation, reason = "it is seconds")]
const LIMIT: i64 = TIME_LIMIT.as_millis() as i64;

/// A request that takes effect later, when its caller is gone.
pub(super) struct Late {
    at: i64,
    /// When it was sent.
    sent: i64,
    effect: Effect,
    caller: Caller,
}

/// What requests change.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Target {
    Sheet(EntryId),
    WorkLog(WorkLogUri),
}

pub(super) struct State {
    pub(super) rng: ChaCha8Rng,
    pub(super) profile: Profile,
    pub(super) work_logs: BTreeMap<WorkLogUri, Stand>,
    pub(super) timesheets: BTreeMap<EntryId, FakeTimesheet>,
    /// Counts the timesheets that were made.
    pub(super) next_id: u64,
    pub(super) directory: Directory,
    pub(super) lag: super::lag::Lag,
    /// How Kimai counts and books.
    pub(super) counting: Counting,
    pub(super) weather: Weather,
    pub(super) script: Option<Script>,
    /// Requests that take effect later, when their caller is gone.
    pub(super) late: Vec<Late>,
    /// When each was last changed.
    changed: BTreeMap<Target, i64>,
    pub(super) history: History,
    pub(super) callers: HashMap<tokio::task::Id, Caller>,
    /// How often the storage was lost.
    pub(super) storage: u32,
    /// How many runs there were.
    pub(super) runs: u64,
    /// Work logs whose timesheet was changed or deleted in Kimai, until the service has written or replaced it.
    pub(super) touched_in_kimai: BTreeMap<WorkLogUri, EntryId>,
    /// Values of work logs that somebody also booked by hand.
    pub(super) booked: Vec<DesiredEntry>,
    /// Work logs that got a link by hand, and those it was copied from.
    pub(super) linked_by_hand: BTreeSet<WorkLogUri>,
    /// Work logs of which a change, a link or a deletion took effect after its caller was gone, over a newer one.
    pub(super) overtaken: BTreeSet<WorkLogUri>,
    /// When each caller last saw each timesheet.
    pub(super) looks: BTreeMap<(String, EntryId), i64>,
    /// Whether people export timesheets between a look and what follows it.
    pub(super) exports: u32,
    /// Open overwrite requests for each work log, and those whose run does so now.
    pub(super) asked: BTreeMap<WorkLogUri, u32>,
    pub(super) leave: BTreeSet<WorkLogUri>,
    /// Timesheets being changed by runs, or with a lost response: the order of export and change is unknown.
    pub(super) changing: BTreeMap<WorkLogUri, EntryId>,
    pub(super) doubtful: BTreeSet<EntryId>,
    /// Exported timesheets changed by a late request, or without saved previous values: they cannot be reverted.
    pub(super) beyond_help: BTreeSet<EntryId>,
    /// The newest version of each work log in an acknowledged delta, with the current and the previously lost storage.
    pub(super) accepted: BTreeMap<WorkLogUri, u32>,
    pub(super) accepted_before_loss: BTreeMap<WorkLogUri, u32>,
    /// Work logs that came back before any delta told that they were gone, each with the number that the next timesheet
    /// would have had by then.
    pub(super) back_unheard: BTreeMap<WorkLogUri, u64>,
    /// How far the system clock of the service is ahead, in milliseconds.
    pub(super) skew: i64,
    /// Whether a database was restored from an older backup.
    pub(super) restored: bool,
    /// When, and the ids that Kimai gives out again since, where our file remembers them.
    pub(super) reissued: Option<(i64, std::ops::Range<EntryId>)>,
    /// The days on which timesheets were booked right before Kimai was.
    pub(super) days_before: BTreeMap<EntryId, Date>,
    /// Milliseconds since the beginning, as last seen.
    pub(super) now: i64,
}

impl State {
    pub(super) fn new(seed: u64, profile: Profile) -> Self {
        let mut rng = ChaCha8Rng::seed_from_u64(seed);
        rng.set_stream(1);
        Self {
            rng,
            profile,
            work_logs: BTreeMap::new(),
            timesheets: BTreeMap::new(),
            next_id: 1,
            directory: fixtures::directory(),
            lag: super::lag::Lag::new(seed),
            counting: Counting::default(),
            weather: Weather::default(),
            script: None,
            late: Vec::new(),
            changed: BTreeMap::new(),
            history: History::default(),
            callers: HashMap::new(),
            storage: 0,
            runs: 0,
            touched_in_kimai: BTreeMap::new(),
            booked: Vec::new(),
            linked_by_hand: BTreeSet::new(),
            overtaken: BTreeSet::new(),
            looks: BTreeMap::new(),
            exports: 0,
            asked: BTreeMap::new(),
            leave: BTreeSet::new(),
            changing: BTreeMap::new(),
            doubtful: BTreeSet::new(),
            beyond_help: BTreeSet::new(),
            accepted: BTreeMap::new(),
            accepted_before_loss: BTreeMap::new(),
            back_unheard: BTreeMap::new(),
            skew: 0,
            restored: false,
            reissued: None,
            days_before: BTreeMap::new(),
            now: 0,
        }
    }

    /// The time is `now`: what was to take effect until then does.
    pub(super) fn turn_to(&mut self, now: i64) {
        while let Some(next) =
            (0..self.late.len()).filter(|n| self.late[*n].at <= now).min_by_key(|n| self.late[*n].at)
        {
            let Late { at, sent, effect, caller } = self.late.remove(next);
            self.now = self.now.max(at);
            self.overtake(&effect, &caller, sent);
            // Whatever the answer: nobody waits for it.
            drop(self.apply(&effect, &caller));
            if let Effect::Update(id, _) = effect
                && self.timesheets.get(&id).is_some_and(FakeTimesheet::is_overwritten)
            {
                self.beyond_help.insert(id);
            }
            if let (false, Who::Run(_, work_log)) = (matches!(effect, Effect::Create(_)), &caller.who) {
                self.overtaken.insert(work_log.clone());
            }
            self.note(caller.who, What::AfterCallerWasGone);
        }
        self.now = self.now.max(now);
    }

    /// Notes whose newer state `effect`, which was `sent` long ago, is about to take the place of.
    fn overtake(&mut self, effect: &Effect, caller: &Caller, sent: i64) {
        let is_newer = |target| self.changed.get(&target).is_some_and(|changed| *changed > sent);
        let work_log = |work_log: &WorkLogUri| is_newer(Target::WorkLog(work_log.clone()));
        let mut overtaken = Vec::new();
        match effect {
            Effect::Create(_) => {}
            Effect::Update(id, _) | Effect::EndBreak(id) | Effect::Delete(id) => {
                let linked = self.work_logs.iter().filter(|(_, stand)| stand.facts.entry_ids().contains(id));
                let mut concerned: Vec<&WorkLogUri> = linked.map(|(work_log, _)| work_log).collect();
                if let Who::Run(_, own) = &caller.who {
                    concerned.push(own);
                }
                let timesheet = is_newer(Target::Sheet(*id));
                overtaken.extend(concerned.into_iter().filter(|of| timesheet || work_log(of)).cloned());
            }
            Effect::Link(links) => {
                overtaken.extend(links.iter().map(|link| &link.work_log).filter(|of| work_log(of)).cloned());
            }
        }
        self.overtaken.extend(overtaken);
    }

    /// `target` is changed now.
    pub(super) fn touch(&mut self, target: Target) {
        self.changed.insert(target, self.now);
    }

    pub(super) fn note(&mut self, who: Who, what: What) {
        self.history.note(self.now, who, what);
    }

    pub(super) fn caller(&self) -> Caller {
        let known = tokio::task::try_id().and_then(|id| self.callers.get(&id));
        known.cloned().unwrap_or(Caller {
            who: Who::People,
            since: self.now,
            storage: self.storage,
            leave: true,
        })
    }

    /// From now on this task is `who`, who begins to look at the world.
    pub(super) fn enter(&mut self, who: Who, what: What) {
        let caller = Caller { who: who.clone(), since: self.now, storage: self.storage, leave: false };
        self.callers.extend(tokio::task::try_id().map(|id| (id, caller)));
        self.note(who, what);
    }

    /// Somebody asked for the exported timesheet of `work_log` to be overwritten.
    pub(super) fn ask(&mut self, work_log: WorkLogUri) {
        *self.asked.entry(work_log).or_default() += 1;
    }

    /// Decides how a call goes.
    pub(super) fn course(&mut self, call: Call) -> Course {
        self.history.calls += 1;
        let rate = if Call::KIMAI.contains(&call) { self.weather.kimai } else { self.weather.triplestore };
        let scripted = self.script.as_mut().and_then(|script| script.next(call));
        let drawn = self.rng.random_ratio(rate, 100).then(|| Trouble::draw(call, &mut self.rng));
        let blind = (self.weather.blind && Trouble::Empty.befalls(call) && !Call::KIMAI.contains(&call))
            .then_some(Trouble::Empty);
        let trouble = scripted.or(blind).or(drawn);
        let there = self.rng.random_range(1..12);
        let back = self.rng.random_range(0..12);
        let Some(trouble) = trouble else {
            return Course { trouble: None, fate: Fate::Now, there, back };
        };
        let who = self.caller().who;
        self.note(who, What::Failed(call, trouble));
        let fate = match trouble.fate() {
            Fate::Either if self.rng.random() => Fate::Now,
            Fate::Either => Fate::Never,
            fate => fate,
        };
        let back = if trouble.is_slow() { LIMIT.unsigned_abs() - there } else { back };
        Course { trouble: Some(trouble), fate, there, back }
    }

    /// A request that was under way when its caller went away: it may still arrive, or be worked on.
    pub(super) fn leave_behind(&mut self, effect: Effect, caller: Caller) {
        if self.rng.random() {
            let at = self.now + self.rng.random_range(0..LIMIT);
            self.late.push(Late { at, sent: self.now, effect, caller });
        }
    }

    /// A request whose caller gives up at the time limit, and that takes effect after that.
    pub(super) fn put_off(&mut self, effect: Effect, caller: Caller, course: Course) {
        let gives_up = if course.back > 1_000 { LIMIT } else { course.back.cast_signed() };
        let at = self.now + gives_up + self.rng.random_range(0..LIMIT * 9 / 10);
        self.late.push(Late { at, sent: self.now, effect, caller });
    }

    /// The request takes effect now. Gives the timesheet it made or changed, or Kimai's refusal.
    pub(super) fn apply(
        &mut self,
        effect: &Effect,
        caller: &Caller,
    ) -> Result<Option<TimeEntry>, TrackerFault> {
        match effect {
            Effect::Create(wanted) => return self.create(wanted, caller).map(Some),
            Effect::Update(id, wanted) => return self.update(*id, wanted, caller).map(Some),
            Effect::EndBreak(id) => return self.end_break(*id, caller).map(Some),
            Effect::Delete(id) => self.delete(*id, caller)?,
            Effect::Link(links) => links.iter().for_each(|link| self.link(link, caller)),
        }
        Ok(None)
    }

    fn link(&mut self, Link { work_log, to, had_link }: &Link, caller: &Caller) {
        // What is not there is not brought to life by a removal.
        if to.is_none() && !self.work_logs.contains_key(work_log) {
            return;
        }
        let stand = self.work_logs.entry(work_log.clone()).or_insert_with(|| Stand::new(self.profile));
        let write = |facts: &mut Facts| {
            if *had_link || to.is_none() {
                facts.identifiers.clear();
            }
            facts.identifiers.extend(to.map(|id| id.to_string()));
        };
        write(&mut stand.facts);
        self.lag.linked(work_log, write);
        stand.refresh(self.now);
        if let Some(id) = to.filter(|id| self.timesheets.contains_key(id)) {
            self.touched_in_kimai.retain(|of, touched| of != work_log || *touched == id);
        }
        self.touch(Target::WorkLog(work_log.clone()));
        let what = to.map_or(What::Unlinked(work_log.clone()), |id| What::Linked(work_log.clone(), id));
        self.note(caller.who.clone(), what);
    }

    /// A delta was acknowledged.
    pub(super) fn accept(&mut self, work_log: WorkLogUri, version: u32) {
        let newest = self.accepted.entry(work_log.clone()).or_default();
        *newest = version.max(*newest);
        self.note(Who::People, What::Accepted(work_log, version));
    }

    /// A work log comes to be, perhaps again.
    pub(super) fn come_back(&mut self, work_log: &WorkLogUri) {
        let Some(gone) = self.work_logs.get(work_log).map(|stand| stand.version) else { return };
        if self.accepted.get(work_log).is_none_or(|heard| *heard < gone) {
            self.back_unheard.insert(work_log.clone(), self.next_id);
        }
    }

    /// The storage is lost, with all that was acknowledged.
    pub(super) fn lose_storage(&mut self) {
        self.storage += 1;
        self.accepted_before_loss = std::mem::take(&mut self.accepted);
    }

    /// The work logs of some kind that are linked to one of `ids`.
    pub(super) fn subjects(
        &self,
        ids: &[EntryId],
        wanted: impl Fn(&WorkLogUri, &Stand) -> bool,
    ) -> Vec<(EntryId, WorkLogUri)> {
        let named = self.work_logs.iter().filter(|(work_log, stand)| wanted(work_log, stand));
        let pairs = named.flat_map(|(work_log, stand)| {
            let linked = stand.facts.entry_ids().into_iter().filter(|id| ids.contains(id));
            linked.map(|id| (id, work_log.clone()))
        });
        pairs.collect()
    }

    /// The work logs of these days, each with its day.
    pub(super) fn of_period(&self, first: Date, last: Date) -> Vec<(Date, &WorkLogUri, &Facts)> {
        let live = self.work_logs.iter().filter(|(_, stand)| stand.is_live());
        let days = live.filter_map(|(work_log, stand)| {
            let days = stand.facts.days.iter().filter_map(|day| day.parse::<Date>().ok());
            let day = days.into_iter().find(|day| (first..=last).contains(day))?;
            Some((day, work_log, &stand.facts))
        });
        days.collect()
    }

    /// People change a work log.
    pub(super) fn change(
        &mut self,
        work_log: &WorkLogUri,
        step: &'static str,
        write: impl FnOnce(&mut Facts),
    ) {
        let now = self.now;
        let stand = self.work_logs.entry(work_log.clone()).or_insert_with(|| Stand::new(self.profile));
        let (was_live, linked) = (stand.is_live(), stand.facts.entry_ids());
        self.lag.changed(work_log, &stand.facts, now);
        write(&mut stand.facts);
        let left = stand.facts.entry_ids();
        stand.taken.extend(linked.into_iter().filter(|id| !left.contains(id)));
        stand.version += 1;
        stand.life += u32::from(!was_live && stand.is_live());
        stand.refresh(now);
        let version = stand.version;
        self.touch(Target::WorkLog(work_log.clone()));
        self.note(Who::People, What::Changed(work_log.clone(), step, version));
    }
}

/// The instant `now` milliseconds after the beginning.
pub(super) fn instant(now: i64) -> Timestamp {
    let noon =
        fixtures::TODAY.at(10, 0, 0, 0).to_zoned(fixtures::zone()).expect("a day of this year").timestamp();
    noon + jiff::SignedDuration::from_millis(now)
}
