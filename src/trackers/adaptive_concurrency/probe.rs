//! Probes of the controller: windows at two limits, and when to compare them.

use std::time::Duration;

/// The least that a limit has to gain or lose, as a logarithm, until there is a verdict; and more when windows of
/// one limit differ: so many times the noise.
const LEAST_VERDICT: f64 = 0.2;
const VERDICT: f64 = 1.5;
/// The parts of it that are enough. More requests stay sooner: in doubt, more.
const GAIN_UP: f64 = 0.5;
const LOSS_UP: f64 = 0.6;
const GAIN_DOWN: f64 = 1.4;
const LOSS_DOWN: f64 = 0.6;
/// The part of it that one window gives at most, when there is noise.
const ONE_WINDOW: f64 = 0.6;
/// Each comparison counts so much more for more requests, and so much less for fewer: what makes no difference is
/// sent.
const FAVOUR_UP: f64 = 0.03;
const FAVOUR_DOWN: f64 = 0.06;
/// A bold probe stays after one window when it gains so much upwards, or so many times the verdict downwards; it is
/// given up when it loses the verdict upwards, or so much downwards.
const BOLD_GAIN_UP: f64 = 0.2;
const BOLD_GAIN_DOWN: f64 = 1.4;
const BOLD_LOSS_DOWN: f64 = 0.05;
/// When throughput follows the limit by this part, the server had places to spare.
const PROPORTIONAL: f64 = 0.6;
/// The noise that is assumed at first, how much it follows each window, and the most that one window adds: a server
/// that stands still for a moment says nothing about it.
const FIRST_NOISE: f64 = 0.15;
const NOISE_FOLLOWS: f64 = 1.0 / 8.0;
const MOST_NOISE: f64 = 0.7;
/// The longest rest between two probes, in windows.
const LONGEST_REST: u32 = 64;

/// Answers at one limit.
#[derive(Debug, Default)]
pub(super) struct Window {
    /// Requests that ended, and those that failed.
    pub(super) ended: usize,
    pub(super) troubled: usize,
    /// Answers that came while all places were taken, and the time between them.
    pub(super) answers: usize,
    pub(super) time: Duration,
    /// How long these took, added up.
    pub(super) took: Duration,
}

impl Window {
    /// Answers a second, as a logarithm.
    pub(super) fn throughput(&self) -> f64 {
        (number(self.answers).max(0.5) / self.time.as_secs_f64().max(0.000_001)).ln()
    }

    /// The same, by how long the answers took while so many requests were under way: a round is too short for a
    /// steady rate.
    pub(super) fn throughput_by_latency(&self, limit: usize) -> f64 {
        (number(limit) * number(self.answers).max(0.5) / self.took.as_secs_f64().max(0.000_001)).ln()
    }
}

/// How much two windows of one limit differ, as a logarithm.
#[derive(Debug)]
pub(super) struct Noise(f64);

impl Default for Noise {
    fn default() -> Self {
        Self(FIRST_NOISE)
    }
}

impl Noise {
    pub(super) fn add(&mut self, difference: f64) {
        self.0 += (difference.abs().min(MOST_NOISE) - self.0) * NOISE_FOLLOWS;
    }

    /// What is not noise.
    pub(super) fn verdict(&self) -> f64 {
        LEAST_VERDICT.max(VERDICT * self.0)
    }
}

/// Another limit, compared with the one before.
#[derive(Debug, Clone, Copy)]
pub(super) struct Probe {
    pub(super) before: usize,
    pub(super) other: usize,
    /// A big step, which is judged at once when its first window is clear.
    bold: bool,
    /// Throughput of the last window before.
    base: f64,
    /// That of the window at the other limit, while the one after it is measured.
    tried: Option<f64>,
    /// What was gained in the comparisons so far: the mean, how many there were, and what is sure of it.
    gained: f64,
    compared: u32,
    evidence: f64,
}

/// What is known of a probe.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Verdict {
    Stays,
    GivenUp,
    Open,
}

impl Probe {
    pub(super) fn new(before: usize, other: usize, bold: bool, base: f64) -> Self {
        Self { before, other, bold, base, tried: None, gained: 0.0, compared: 0, evidence: 0.0 }
    }

    pub(super) fn is_up(&self) -> bool {
        self.other > self.before
    }

    /// Whether the present window is one at the other limit.
    pub(super) fn is_trying(&self) -> bool {
        self.tried.is_none()
    }

    /// Whether a window at the other limit need not become full: that much is lost already.
    pub(super) fn is_lost(&self, throughput: f64, noise: &Noise) -> bool {
        self.is_trying() && throughput < self.base - 2.0 * noise.verdict()
    }

    /// Whether throughput followed the limit: each place is of use.
    pub(super) fn is_proportional(&self) -> bool {
        let expected = (number(self.other) / number(self.before)).ln();
        self.gained / expected >= PROPORTIONAL
    }

    /// A window at the other limit is full.
    pub(super) fn tried(&mut self, throughput: f64, noise: &Noise) -> Verdict {
        self.tried = Some(throughput);
        let (gained, verdict) = (throughput - self.base, noise.verdict());
        if self.compared == 0 {
            self.gained = gained;
        }
        let (gain, loss) =
            if self.is_up() { (BOLD_GAIN_UP, verdict) } else { (BOLD_GAIN_DOWN * verdict, BOLD_LOSS_DOWN) };
        if self.bold && gained >= gain {
            Verdict::Stays
        } else if self.bold && gained <= -loss {
            Verdict::GivenUp
        } else {
            Verdict::Open
        }
    }

    /// The window after it is full, at the limit before.
    pub(super) fn compare(&mut self, throughput: f64, noise: &mut Noise) -> Verdict {
        noise.add(throughput - self.base);
        let verdict = noise.verdict();
        if let Some(tried) = self.tried.take() {
            let gained = tried - f64::midpoint(self.base, throughput);
            let before = f64::from(self.compared);
            self.gained = (self.gained * before + gained) / (before + 1.0);
            self.compared += 1;
            let most = (LEAST_VERDICT + FAVOUR_UP).max(verdict * ONE_WINDOW);
            self.evidence += gained.clamp(-most, most) + if self.is_up() { FAVOUR_UP } else { -FAVOUR_DOWN };
        }
        self.base = throughput;
        let (gain, loss) = if self.is_up() { (GAIN_UP, LOSS_UP) } else { (GAIN_DOWN, LOSS_DOWN) };
        if self.evidence >= gain * verdict {
            Verdict::Stays
        } else if self.evidence <= -loss * verdict {
            Verdict::GivenUp
        } else {
            Verdict::Open
        }
    }
}

/// When more, or fewer, requests are tried.
#[derive(Debug, Clone, Copy)]
pub(super) struct Schedule {
    /// Windows until the next probe.
    rest: u32,
    /// The rest after the next one that is given up; it doubles each time.
    next_rest: u32,
    /// So many more probes are bold while they are given up.
    bold: u32,
}

impl Schedule {
    /// The next probe after `rest` windows, and the one after that, if it is given up, `next_rest` later.
    pub(super) fn new(rest: u32, next_rest: u32) -> Self {
        Self { rest, next_rest, bold: 0 }
    }

    /// The same with so many bold probes first.
    pub(super) fn bold(self, probes: u32) -> Self {
        Self { bold: probes, ..self }
    }

    pub(super) fn is_bold(&self) -> bool {
        self.bold > 0
    }

    pub(super) fn is_due(&self) -> bool {
        self.rest == 0
    }

    /// Waits for so many windows.
    pub(super) fn wait(&mut self, windows: u32) {
        self.rest = windows;
    }

    /// A window has passed.
    pub(super) fn pass(&mut self) {
        self.rest = self.rest.saturating_sub(1);
    }

    pub(super) fn given_up(&mut self) {
        let next_rest = (self.next_rest * 2).min(LONGEST_REST);
        *self = Self { rest: self.next_rest, next_rest, bold: self.bold.saturating_sub(1) };
    }

    /// It need not be tried again soon.
    pub(super) fn settled(&mut self) {
        *self = Self::new(LONGEST_REST, LONGEST_REST);
    }
}

#[expect(clippy::cast_precision_loss, reason = "no more than the bounds of a setting")]
pub(super) fn number(limit: usize) -> f64 {
    limit as f64
}
