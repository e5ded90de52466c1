//! Numbers of keys, by their names and by their ids.

use std::collections::HashMap;
use std::hash::{BuildHasher, BuildHasherDefault, Hash, Hasher, RandomState};

/// Numbers by project, kind and value. Of these only 128 bits of a hash are kept that nobody can foresee: that two of a billion
/// names are one is less likely than that the memory errs.
#[derive(Default)]
pub struct Names {
    halves: [RandomState; 2],
    numbers: HashMap<Name, u32, BuildHasherDefault<Spread>>,
}

impl Names {
    pub fn insert(&mut self, project: u32, kind: &str, value: &str, number: u32) {
        self.numbers.insert(self.name(project, kind, value), number);
    }

    pub fn get_or_insert(
        &mut self,
        project: u32,
        kind: &str,
        value: &str,
        number: impl FnOnce() -> u32,
    ) -> u32 {
        let name = self.name(project, kind, value);
        *self.numbers.entry(name).or_insert_with(number)
    }

    pub fn get(&self, project: u32, kind: &str, value: &str) -> Option<u32> {
        self.numbers.get(&self.name(project, kind, value)).copied()
    }

    fn name(&self, project: u32, kind: &str, value: &str) -> Name {
        let [a, b] = self.halves.each_ref().map(|half| half.hash_one((project, kind, value)));
        Name([a as u32, (a >> 32) as u32, b as u32, (b >> 32) as u32])
    }
}

/// In four parts, so that it takes no more room than it must.
#[derive(PartialEq, Eq)]
struct Name([u32; 4]);

impl Hash for Name {
    fn hash<H: Hasher>(&self, state: &mut H) {
        state.write_u64(u64::from(self.0[0]) << 32 | u64::from(self.0[1]));
    }
}

const IDS_OF_PAGE: usize = 1024;

/// Numbers by ids, which come from a sequence: most of them are near to each other.
#[derive(Default)]
pub struct Ids {
    pages: HashMap<i64, Box<[u32; IDS_OF_PAGE]>, BuildHasherDefault<Spread>>,
}

impl Ids {
    pub fn insert(&mut self, id: i64, number: u32) {
        let (page, place) = place(id);
        self.pages.entry(page).or_insert_with(|| Box::new([super::NONE; IDS_OF_PAGE]))[place] = number;
    }

    pub fn get(&self, id: i64) -> Option<u32> {
        let (page, place) = place(id);
        self.pages.get(&page).map(|page| page[place]).filter(|number| *number != super::NONE)
    }
}

fn place(id: i64) -> (i64, usize) {
    let ids = IDS_OF_PAGE as i64;
    (id.div_euclid(ids), id.rem_euclid(ids) as usize)
}

/// A hasher of what is evenly spread already, or is nothing that somebody could choose.
#[derive(Default)]
struct Spread(u64);

impl Hasher for Spread {
    fn write_u64(&mut self, value: u64) {
        // The upper bits, which a table of hashes looks at too, come from all of them.
        self.0 = value.wrapping_mul(0x9E37_79B9_7F4A_7C15);
    }

    fn write_i64(&mut self, value: i64) {
        self.write_u64(value as u64);
    }

    fn write(&mut self, bytes: &[u8]) {
        bytes.iter().for_each(|&byte| self.write_u64(self.0 ^ u64::from(byte)));
    }

    fn finish(&self) -> u64 {
        self.0
    }
}
