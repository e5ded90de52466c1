//! What is in an event, and how that is written.

use crate::options::Options;
use crate::random::{mix, pick};
use crate::stream::{DAY_MS, Event, Visit};

/// 2026-01-01, in days since 1970-01-01.
const FIRST_DAY: u64 = 20_454;

/// Event types with the share per mille up to and including them.
const EVENT_TYPES: [(u64, &str); 10] = [
    (400, "page_view"),
    (600, "view_item"),
    (720, "search"),
    (800, "click"),
    (870, "add_to_cart"),
    (920, "login"),
    (950, "checkout"),
    (975, "purchase"),
    (990, "share"),
    (1000, "refund"),
];

/// Sources with user agents.
const AGENTS: [(&str, &str); 8] = [
    (
        "web",
        "Mozilla/5.0 (Windows NT 10.0; Win64; x64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/141.0.0.0 Safari/537.36",
    ),
    (
        "web",
        "Mozilla/5.0 (Macintosh; Intel Mac OS X 10_15_7) AppleWebKit/605.1.15 (KHTML, like Gecko) Version/18.6 Safari/605.1.15",
    ),
    ("web", "Mozilla/5.0 (X11; Linux x86_64; rv:143.0) Gecko/20100101 Firefox/143.0"),
    (
        "web",
        "Mozilla/5.0 (Windows NT 10.0; Win64; x64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/141.0.0.0 Edg/141.0.0.0",
    ),
    ("ios", "Shop/8.14.2 (iPhone17,1; iOS 18.6.2; Scale/3.00) CFNetwork/1568.300.101 Darwin/24.2.0"),
    (
        "ios",
        "Mozilla/5.0 (iPhone; CPU iPhone OS 18_6 like Mac OS X) AppleWebKit/605.1.15 (KHTML, like Gecko) Mobile/15E148",
    ),
    ("android", "Shop/8.14.0 (Linux; U; Android 15; Pixel 9 Build/AP4A.250205.002) okhttp/4.12.0"),
    (
        "android",
        "Mozilla/5.0 (Linux; Android 15; SM-S931B) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/141.0.0.0 Mobile Safari/537.36",
    ),
];

const PLANS: [&str; 5] = ["free", "free", "free", "pro", "team"];
const COUNTRIES: [&str; 8] = ["US", "DE", "FR", "GB", "IN", "BR", "JP", "NL"];
const SECTIONS: [&str; 6] = ["garden", "kitchen", "bicycles", "books", "lighting", "outdoor"];
const REFERRERS: [&str; 5] = [
    "https://www.google.com/",
    "https://www.bing.com/search",
    "https://shop.example.com/",
    "https://news.example.org/weekly",
    "https://t.example.net/c/spring-sale",
];

/// Kinds of further keys, and whether such a key is the device's or else the visit's.
const FURTHER_KEYS: [(&str, bool); 9] = [
    ("cart_id", false),
    ("install_id", true),
    ("click_id", false),
    ("push_token", true),
    ("tab_id", false),
    ("ad_id", true),
    ("chat_id", false),
    ("order_id", false),
    ("call_id", false),
];
pub const MOST_KEYS: u64 = 3 + FURTHER_KEYS.len() as u64;

pub struct Writer {
    pub out: Vec<u8>,
    keys: u64,
    /// The day that `date` is of.
    day: u64,
    date: String,
}

impl Writer {
    pub fn new(options: &Options) -> Self {
        Writer { out: Vec::new(), keys: options.keys, day: 0, date: date(FIRST_DAY) }
    }

    fn text(&mut self, text: &str) {
        self.out.extend_from_slice(text.as_bytes());
    }

    /// What is between one member's text and the next one's.
    fn member(&mut self, name: &str) {
        self.text("\",\"");
        self.text(name);
        self.text("\":\"");
    }

    fn decimal(&mut self, mut value: u64) {
        let mut digits = [0; 20];
        let mut at = digits.len();
        loop {
            at -= 1;
            digits[at] = b'0' + (value % 10) as u8;
            value /= 10;
            if value == 0 {
                break;
            }
        }
        self.out.extend_from_slice(&digits[at..]);
    }

    fn padded<const WIDTH: usize>(&mut self, mut value: u64) {
        let mut digits = [b'0'; WIDTH];
        for digit in digits.iter_mut().rev() {
            *digit += (value % 10) as u8;
            value /= 10;
        }
        self.out.extend_from_slice(&digits);
    }

    fn hex(&mut self, value: u64) {
        self.out.extend_from_slice(&hex_digits(value));
    }

    fn hex_or_null(&mut self, value: Option<u64>) {
        match value {
            Some(value) => self.hex(value),
            None => self.text("\\N"),
        }
    }

    fn uuid(&mut self, high: u64, low: u64) {
        // Version 4, variant 1.
        let high = hex_digits(high & !0xF000 | 0x4000);
        let low = hex_digits(low & !(3 << 62) | 2 << 62);
        let mut text = [b'-'; 36];
        text[..8].copy_from_slice(&high[..8]);
        text[9..13].copy_from_slice(&high[8..12]);
        text[14..18].copy_from_slice(&high[12..]);
        text[19..23].copy_from_slice(&low[..4]);
        text[24..].copy_from_slice(&low[4..]);
        self.out.extend_from_slice(&text);
    }

    fn timestamp(&mut self, ms: u64) {
        let day = ms / DAY_MS;
        if self.day != day {
            self.day = day;
            self.date = date(FIRST_DAY + day);
        }
        self.out.extend_from_slice(self.date.as_bytes());
        let (seconds, rest) = (ms % DAY_MS / 1000, ms % 1000);
        self.out.push(b'T');
        self.padded::<2>(seconds / 3600);
        self.out.push(b':');
        self.padded::<2>(seconds / 60 % 60);
        self.out.push(b':');
        self.padded::<2>(seconds % 60);
        self.out.push(b'.');
        self.padded::<3>(rest);
        self.out.push(b'Z');
    }

    fn ip(&mut self, hash: u64) {
        self.decimal(11 + hash % 180);
        for shift in [8, 16, 24] {
            self.out.push(b'.');
            self.decimal((hash >> shift) & 0xFF);
        }
    }

    fn properties(&mut self, event: &Event, event_type: &str) {
        let Event { visit, hash, .. } = event;
        let section = pick(&SECTIONS, *hash);
        let item = hash / 8 % 20_000;
        self.text("{\"url\":\"https://shop.example.com/");
        self.text(section);
        self.text("/item-");
        self.decimal(item);
        self.member("title");
        self.text(section);
        self.text(" no. ");
        self.decimal(item);
        self.text(" | Example Shop");
        self.member("referrer");
        self.text(pick(&REFERRERS, visit.hash >> 8));
        self.member("plan");
        self.text(pick(&PLANS, visit.person));
        self.member("country");
        self.text(pick(&COUNTRIES, visit.person >> 8));
        if event_type == "purchase" || event_type == "refund" {
            let cents = 100 + (hash >> 20) % 40_000;
            self.text("\",\"amount\":");
            self.decimal(cents / 100);
            self.out.push(b'.');
            self.padded::<2>(cents % 100);
            self.text(",\"duration\":");
        } else {
            self.text("\",\"duration\":");
        }
        self.decimal((hash >> 40) % 600);
        self.out.push(b'}');
    }

    fn correlations(&mut self, visit: &Visit) {
        for (nth, (kind, is_device)) in (3..self.keys).zip(FURTHER_KEYS) {
            self.text(if nth == 3 { "{\"" } else { "\",\"" });
            self.text(kind);
            self.text("\":\"");
            self.hex(mix(nth + if is_device { visit.device } else { visit.session }));
        }
        self.text("\"}");
    }

    pub fn json(&mut self, event: &Event) {
        let visit = &event.visit;
        let event_type = event_type(event);
        let (source, agent) = pick(&AGENTS, visit.device);
        self.text("{\"event_id\":\"");
        self.uuid(event.hash, mix(event.hash));
        self.member("event_type");
        self.text(event_type);
        self.member("ts");
        self.timestamp(event.ms);
        if let Some(user) = visit.user {
            self.member("user_id");
            self.text("user-");
            self.decimal(user);
        } else {
            self.member("anonymous_id");
            self.hex(mix(visit.device));
        }
        if self.keys > 2 {
            self.member("session_id");
            self.hex(visit.session);
        }
        self.member("device_id");
        self.hex(visit.device);
        self.member("source");
        self.text(source);
        self.member("ip");
        self.ip(visit.hash >> 16);
        self.member("user_agent");
        self.text(agent);
        if self.keys > 3 {
            self.text("\",\"correlations\":");
            self.correlations(visit);
            self.text(",\"properties\":");
        } else {
            self.text("\",\"properties\":");
        }
        self.properties(event, event_type);
        self.out.push(b'}');
    }

    /// The columns event_id, event_type, occurred_at, user_id, session_id, device_id, anonymous_id, source, ip,
    /// user_agent, properties; and correlations where there are any.
    pub fn row(&mut self, event: &Event) {
        let visit = &event.visit;
        let event_type = event_type(event);
        let (source, agent) = pick(&AGENTS, visit.device);
        self.uuid(event.hash, mix(event.hash));
        self.text("\t");
        self.text(event_type);
        self.text("\t");
        self.timestamp(event.ms);
        if let Some(user) = visit.user {
            self.text("\tuser-");
            self.decimal(user);
        } else {
            self.text("\t\\N");
        }
        self.text("\t");
        self.hex_or_null((self.keys > 2).then_some(visit.session));
        self.text("\t");
        self.hex(visit.device);
        self.text("\t");
        self.hex_or_null(visit.user.is_none().then_some(mix(visit.device)));
        self.text("\t");
        self.text(source);
        self.text("\t");
        self.ip(visit.hash >> 16);
        self.text("\t");
        self.text(agent);
        self.text("\t");
        self.properties(event, event_type);
        if self.keys > 3 {
            self.text("\t");
            self.correlations(visit);
        }
        self.text("\n");
    }
}

fn event_type(event: &Event) -> &'static str {
    if event.visit.is_login {
        return "login";
    }
    let share = (event.hash >> 32) % 1000;
    EVENT_TYPES.iter().find(|(up_to, _)| share < *up_to).map_or("page_view", |(_, name)| name)
}

fn hex_digits(value: u64) -> [u8; 16] {
    const DIGITS: &[u8; 16] = b"0123456789abcdef";
    std::array::from_fn(|place| DIGITS[(value >> (60 - 4 * place)) as usize & 15])
}

/// The date of a day since 1970-01-01, in the proleptic Gregorian calendar.
fn date(days: u64) -> String {
    // Eras of 400 years that begin in March, so that the leap day is a year's last.
    let days = days + 719_468;
    let (era, day_of_era) = (days / 146_097, days % 146_097);
    let year_of_era = (day_of_era - day_of_era / 1460 + day_of_era / 36_524 - day_of_era / 146_096) / 365;
    let day_of_year = day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    let from_march = (5 * day_of_year + 2) / 153;
    let day = day_of_year - (153 * from_march + 2) / 5 + 1;
    let month = if from_march < 10 { from_march + 3 } else { from_march - 9 };
    let year = era * 400 + year_of_era + u64::from(month <= 2);
    format!("{year:04}-{month:02}-{day:02}")
}
