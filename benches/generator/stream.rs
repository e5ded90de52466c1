//! Whose the n-th event is, and when.
//!
//! Visits of about ten events are under way side by side, each with an event every three minutes. Most are of users,
//! on one of their two devices and logged in. Some are of guests, who never log in. Some are a guest's, on a device
//! that was never seen before, who comes back days later and logs in: what was a journey of its own merges with the
//! user's.

use crate::options::Options;
use crate::random::{Zipf, fraction, mix};

pub const DAY_MS: u64 = 86_400_000;
/// The share of visits that are of guests.
const GUEST_SHARE: f64 = 0.15;
const VISIT_STEP_MS: u64 = 180_000;
/// The visits of a slot follow each other, so many in so many events.
const BLOCK_VISITS: u64 = 4;
const BLOCK_EVENTS: u64 = 40;
/// Who comes back to log in does so after this part of the stream.
const RETURN_PART: u64 = 12;

pub struct Event {
    /// Since the stream began.
    pub ms: u64,
    pub visit: Visit,
    /// For what differs from event to event.
    pub hash: u64,
}

pub struct Visit {
    pub session: u64,
    pub device: u64,
    /// Unknown to the events of guests, and to those before the login.
    pub user: Option<u64>,
    /// The user or guest, whether the event knows or not.
    pub person: u64,
    pub is_login: bool,
    /// For what is the same in all of the visit.
    pub hash: u64,
}

/// What is drawn; each has a salt of its own.
#[derive(Clone, Copy)]
enum Draw {
    Phase,
    Cuts,
    Visit,
    Device,
    Person,
    Event,
}

pub struct Stream {
    events: u64,
    length_ms: u64,
    merges: f64,
    slots: u64,
    /// Visits of a slot between a guest's and that in which he logs in.
    visits_between: u64,
    guests: u64,
    zipf: Zipf,
    salts: [u64; 6],
}

impl Stream {
    pub fn new(options: &Options) -> Self {
        let length_ms = options.days * DAY_MS;
        let slots = (options.events.saturating_mul(VISIT_STEP_MS) / length_ms).max(1);
        let blocks_between = (options.events / slots / BLOCK_EVENTS / RETURN_PART).max(1);
        Stream {
            events: options.events,
            length_ms,
            merges: options.merges,
            slots,
            visits_between: blocks_between * BLOCK_VISITS,
            guests: (options.users / 2).max(1),
            zipf: Zipf::new(options.users, options.skew),
            salts: std::array::from_fn(|draw| mix(mix(options.seed).wrapping_add(draw as u64))),
        }
    }

    pub fn event(&self, n: u64) -> Event {
        let ms = u128::from(n) * u128::from(self.length_ms) / u128::from(self.events);
        Event { ms: ms as u64, visit: self.visit(n), hash: self.draw(Draw::Event, n) }
    }

    fn draw(&self, what: Draw, of: u64) -> u64 {
        mix(self.salts[what as usize] ^ of)
    }

    fn visit(&self, n: u64) -> Visit {
        let slot = n % self.slots;
        // Visits of different slots do not begin together.
        let round = n / self.slots + self.draw(Draw::Phase, slot) % BLOCK_EVENTS;
        let (block, place) = (round / BLOCK_EVENTS, round % BLOCK_EVENTS);
        let cuts = self.draw(Draw::Cuts, block * self.slots + slot);
        let begins = [0, 6 + cuts % 9, 16 + (cuts >> 16) % 9, 26 + (cuts >> 32) % 9, BLOCK_EVENTS];
        let nth = (1..4).filter(|&nth| begins[nth] <= place).count();
        let visit = block * BLOCK_VISITS + nth as u64;
        self.step_of_visit(slot, visit, place - begins[nth], begins[nth + 1] - begins[nth])
    }

    /// Whether a slot's visit is of a guest who comes back to log in.
    fn is_of_returning(&self, slot: u64, visit: u64) -> bool {
        fraction(mix(self.draw(Draw::Visit, visit * self.slots + slot))) < self.merges
    }

    fn step_of_visit(&self, slot: u64, number: u64, step: u64, length: u64) -> Visit {
        let session = self.draw(Draw::Visit, number * self.slots + slot);
        let (sort, rank, hash) = (fraction(mix(session)), fraction(mix(session ^ 1)), mix(session ^ 2));
        let user = self.zipf.rank(rank);
        let visit = |person, user, device| Visit {
            session,
            device: self.draw(Draw::Device, device),
            user,
            person: self.draw(Draw::Person, person),
            is_login: false,
            hash,
        };
        let new_device = |number: u64| !(number * self.slots + slot);
        let first = number.checked_sub(self.visits_between);
        if let Some(first) = first.filter(|&first| self.is_of_returning(slot, first)) {
            let login = hash % length.min(3);
            let known = (step >= login).then_some(user);
            Visit { is_login: step == login, ..visit(user << 1, known, new_device(first)) }
        } else if sort < self.merges {
            visit(user << 1, None, new_device(number))
        } else if sort < self.merges + GUEST_SHARE {
            let guest = hash % self.guests;
            visit(guest << 1 | 1, None, guest << 2 | 2)
        } else {
            visit(user << 1, Some(user), user << 2 | hash & 1)
        }
    }
}
