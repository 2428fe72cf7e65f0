//! How long Kimai takes to answer: the work of a request, the workers that share it, and the machine below them.

use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::{Arc, Mutex, OnceLock, PoisonError};
use std::time::Duration;

use rand::rngs::StdRng;
use rand::{Rng, SeedableRng};
use tokio::sync::Semaphore;
use tokio::time::Instant;

/// How finely the speed of the machine is followed: tokio's timers are no finer.
const STEP: Duration = Duration::from_millis(1);
/// What a machine that stands still gets done, so that every request ends one day.
const STANDSTILL: f64 = 1e-6;

/// How long requests take. Starts as a fixed time, however many are asked at a time; each method adds one trouble of
/// a real server. The same seed gives the same times for the same requests.
///
/// ```
/// # use std::time::Duration;
/// use kimai_sync::trackers::kimai::sandbox::Latency;
///
/// // PHP with six workers on a machine that others use too, and a database that now and then stands still.
/// let millis = Duration::from_millis;
/// let latency = Latency::between(millis(40), millis(90))
///     .workers(6)
///     .shared_machine(0.5, millis(500))
///     .stalls(millis(20_000), millis(2_000));
/// ```
#[derive(Debug, Clone)]
pub struct Latency {
    work: Work,
    noise: f64,
    workers: Option<usize>,
    side_by_side: Option<u32>,
    cold: u32,
    cold_extra: Duration,
    shared: Option<(f64, Duration)>,
    stalls: Option<(Duration, Duration)>,
    slow: Vec<Slow>,
    seed: u64,
}

/// The work of one request, before anything disturbs it.
#[derive(Debug, Clone, Copy)]
enum Work {
    Between(Duration, Duration),
    LogNormal { median: Duration, sigma: f64 },
}

/// From then on the machine is slower, for a while.
#[derive(Debug, Clone, Copy)]
struct Slow {
    from: Duration,
    lasts: Duration,
    times: f64,
}

impl From<Duration> for Latency {
    fn from(fixed: Duration) -> Self {
        Self::between(fixed, fixed)
    }
}

impl Latency {
    /// Each request takes some time between these, all equally likely.
    pub fn between(shortest: Duration, longest: Duration) -> Self {
        Self::of(Work::Between(shortest, longest.max(shortest)))
    }

    /// Half of the requests take less than `median`, a few much more: `sigma` is the deviation of the logarithms.
    pub fn log_normal(median: Duration, sigma: f64) -> Self {
        Self::of(Work::LogNormal { median, sigma })
    }

    fn of(work: Work) -> Self {
        Self {
            work,
            noise: 0.0,
            workers: None,
            side_by_side: None,
            cold: 0,
            cold_extra: Duration::ZERO,
            shared: None,
            stalls: None,
            slow: Vec::new(),
            seed: 0,
        }
    }

    /// So many requests are worked on at a time; the others wait in a queue.
    #[must_use]
    pub fn workers(mut self, workers: usize) -> Self {
        self.workers = Some(workers.max(1));
        self
    }

    /// More than so many requests at a time get into each other's way: with twice as many, each takes four times
    /// as long.
    #[must_use]
    pub fn side_by_side(mut self, requests: u32) -> Self {
        self.side_by_side = Some(requests.max(1));
        self
    }

    /// Each request takes up to this share more or less than it should.
    #[must_use]
    pub fn noise(mut self, share: f64) -> Self {
        self.noise = share.clamp(0.0, 1.0);
        self
    }

    /// The whole machine is faster or slower by up to this share, and changes its mind after each `period`.
    #[must_use]
    pub fn shared_machine(mut self, share: f64, period: Duration) -> Self {
        self.shared = Some((share.clamp(0.0, 1.0), period.max(STEP)));
        self
    }

    /// The first requests take so much longer.
    #[must_use]
    pub fn cold_start(mut self, requests: u32, extra: Duration) -> Self {
        (self.cold, self.cold_extra) = (requests, extra);
        self
    }

    /// Everything stands still for a while, at some moment of each period.
    #[must_use]
    pub fn stalls(mut self, period: Duration, lasts: Duration) -> Self {
        self.stalls = Some((period.max(lasts).max(STEP), lasts));
        self
    }

    /// Counted from the first request, everything takes so many times as long from then on, for a while.
    #[must_use]
    pub fn slow(mut self, from: Duration, lasts: Duration, times: f64) -> Self {
        self.slow.push(Slow { from, lasts, times: times.max(STANDSTILL) });
        self
    }

    /// Another series of random times.
    #[must_use]
    pub fn seed(mut self, seed: u64) -> Self {
        self.seed = seed;
        self
    }

    /// How fast the machine is `since` its first request; 1 is as fast as it should be.
    fn speed(&self, since: Duration) -> f64 {
        let mut speed = 1.0;
        if let Some((share, period)) = self.shared {
            speed /= 1.0 + share * (2.0 * self.rng(1, since, period) - 1.0);
        }
        if let Some((period, lasts)) = self.stalls {
            let begins = period.saturating_sub(lasts).mul_f64(self.rng(2, since, period));
            let now = Duration::from_secs_f64(since.as_secs_f64() % period.as_secs_f64());
            if (begins..begins + lasts).contains(&now) {
                speed = STANDSTILL;
            }
        }
        for slow in self.slow.iter().filter(|slow| (slow.from..slow.from + slow.lasts).contains(&since)) {
            speed /= slow.times;
        }
        speed.max(STANDSTILL)
    }

    /// A number from 0 to 1 that holds for the whole period: a hash, since it is asked for at each step.
    fn rng(&self, what: u64, since: Duration, period: Duration) -> f64 {
        let number = since.as_millis() / period.as_millis().max(1);
        let mut bits =
            u64::try_from(number).unwrap_or(u64::MAX).wrapping_add(self.seed << 32).wrapping_add(what << 60);
        bits = bits.wrapping_add(0x9e37_79b9_7f4a_7c15);
        bits = (bits ^ (bits >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        bits = (bits ^ (bits >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        let high = u32::try_from(bits >> 32).unwrap_or(u32::MAX);
        f64::from(high) / f64::from(u32::MAX)
    }

    fn is_steady(&self) -> bool {
        self.shared.is_none() && self.stalls.is_none() && self.slow.is_empty()
    }
}

/// A machine that takes its time as a [`Latency`] says.
#[derive(Debug)]
pub(crate) struct Machine {
    latency: Latency,
    rng: Mutex<StdRng>,
    workers: Option<Semaphore>,
    first: OnceLock<Instant>,
    arrived: AtomicU32,
    in_flight: AtomicU32,
}

impl Machine {
    pub(crate) fn new(latency: Latency) -> Arc<Self> {
        Arc::new(Self {
            rng: Mutex::new(StdRng::seed_from_u64(latency.seed)),
            workers: latency.workers.map(Semaphore::new),
            first: OnceLock::new(),
            arrived: AtomicU32::new(0),
            in_flight: AtomicU32::new(0),
            latency,
        })
    }

    /// Takes the time of one request.
    pub(crate) async fn work(&self) {
        self.first.get_or_init(Instant::now);
        self.in_flight.fetch_add(1, Ordering::Relaxed);
        let _in_flight = InFlight(&self.in_flight);
        let work = self.draw();
        let _worker = match &self.workers {
            Some(workers) => workers.acquire().await.ok(),
            None => None,
        };
        if !work.is_zero() {
            tokio::time::sleep_until(self.end(Instant::now(), work)).await;
        }
    }

    /// The work of the request that arrives now.
    fn draw(&self) -> Duration {
        let Latency { work, noise, side_by_side, cold, cold_extra, .. } = self.latency;
        let crowd = self.in_flight.load(Ordering::Relaxed);
        let arrived = self.arrived.fetch_add(1, Ordering::Relaxed);
        let mut rng = self.rng.lock().unwrap_or_else(PoisonError::into_inner);
        let mut seconds = match work {
            Work::Between(shortest, longest) => {
                shortest.as_secs_f64() + longest.saturating_sub(shortest).as_secs_f64() * rng.random::<f64>()
            }
            Work::LogNormal { median, sigma } => median.as_secs_f64() * (sigma * normal(&mut rng)).exp(),
        };
        seconds *= 1.0 + noise * (2.0 * rng.random::<f64>() - 1.0);
        if let Some(most) = side_by_side {
            seconds *= (f64::from(crowd.max(most)) / f64::from(most)).powi(2);
        }
        if arrived < cold {
            seconds += cold_extra.as_secs_f64();
        }
        Duration::from_secs_f64(seconds)
    }

    /// When work that begins now is done.
    fn end(&self, now: Instant, work: Duration) -> Instant {
        if self.latency.is_steady() {
            return now + work;
        }
        let begun = now.duration_since(*self.first.get_or_init(|| now));
        let (mut took, mut left) = (Duration::ZERO, work.as_secs_f64());
        loop {
            let done = STEP.as_secs_f64() * self.latency.speed(begun + took);
            if left <= done {
                return now + took + STEP.mul_f64(left / done);
            }
            left -= done;
            took += STEP;
        }
    }
}

/// One more request under way.
struct InFlight<'a>(&'a AtomicU32);

impl Drop for InFlight<'_> {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Ordering::Relaxed);
    }
}

/// A normally distributed number, by Box and Muller.
fn normal(rng: &mut StdRng) -> f64 {
    let (radius, angle) = (1.0 - rng.random::<f64>(), rng.random::<f64>());
    (-2.0 * radius.ln()).sqrt() * (std::f64::consts::TAU * angle).cos()
}

#[cfg(test)]
mod tests {
    use futures_util::future::join_all;

    use super::*;

    const fn millis(millis: u64) -> Duration {
        Duration::from_millis(millis)
    }

    /// The seconds that so many requests take, asked all at once.
    async fn together(latency: impl Into<Latency>, requests: usize) -> Duration {
        let machine = Machine::new(latency.into());
        let since = Instant::now();
        join_all((0..requests).map(|_| machine.work())).await;
        since.elapsed()
    }

    #[tokio::test(start_paused = true)]
    async fn each_trouble_takes_the_time_that_it_says() {
        let fixed = || Latency::from(millis(20));
        // Each step may take a millisecond more: tokio's timers are no finer.
        let table = [
            ("fixed", fixed(), 8, 20..=21),
            ("queue", fixed().workers(3), 8, 60..=63),
            ("crowd", fixed().side_by_side(4), 8, 80..=81),
            ("cold", fixed().workers(1).cold_start(2, millis(100)), 4, 280..=284),
            ("spread", Latency::between(millis(40), millis(90)), 64, 80..=91),
            ("noise", fixed().noise(0.5), 64, 25..=31),
            ("slow", fixed().workers(1).slow(millis(20), millis(60), 3.0), 3, 99..=103),
            ("stall", Latency::from(millis(3_000)).stalls(millis(2_500), millis(2_000)), 1, 13_000..=15_001),
            ("shared", Latency::from(millis(10_000)).shared_machine(0.5, millis(100)), 1, 8_500..=10_000),
            ("log-normal", Latency::log_normal(millis(20), 0.5).workers(1), 1_000, 20_000..=26_000),
        ];
        for (name, latency, requests, wanted) in table {
            let took = together(latency, requests).await.as_millis();
            assert!(wanted.contains(&took), "{name}: {took} ms, not {wanted:?}");
        }
    }

    #[tokio::test(start_paused = true)]
    async fn a_seed_gives_its_times_again_and_another_one_others() {
        let noisy = || Latency::between(millis(40), millis(90)).workers(2).shared_machine(0.5, millis(50));
        let first = together(noisy().seed(1), 50).await;
        assert_eq!(together(noisy().seed(1), 50).await, first);
        assert_ne!(together(noisy().seed(2), 50).await, first);
    }
}
