//! Fuzzing without a fuzzer, for the tests: the corpus of a target, and a bounded number of mutations of it.

use std::fs;
use std::path::{Path, PathBuf};

/// Mutations of each seed. A fuzzer goes on where this stops.
const MUTATIONS: u32 = 400;
const LONGEST_INPUT: usize = 2048;

fn seeds(target: &str) -> Vec<Vec<u8>> {
    let corpus = Path::new(env!("CARGO_MANIFEST_DIR")).join("../fuzz/corpus").join(target);
    let entries = fs::read_dir(&corpus).expect("the corpus");
    let mut paths: Vec<PathBuf> = entries.map(|entry| entry.expect("an entry").path()).collect();
    paths.sort();
    assert!(!paths.is_empty(), "{} is empty", corpus.display());
    paths.iter().map(|path| fs::read(path).expect("a seed")).collect()
}

/// Marsaglia's xorshift: the same mutations each time.
struct Random(u64);

impl Random {
    fn below(&mut self, bound: usize) -> usize {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        (self.0 >> 11) as usize % bound.max(1)
    }

    /// Changes a few bytes, cuts the input, or puts a part of another behind it.
    fn mutate(&mut self, input: &mut Vec<u8>, other: &[u8]) {
        match self.below(8) {
            0 => input.truncate(self.below(input.len() + 1)),
            1 => input.extend(&other[self.below(other.len() + 1)..]),
            _ => {
                for _ in 0..=self.below(4) {
                    let at = self.below(input.len());
                    let byte = [0, 0xff, self.below(256) as u8][self.below(3)];
                    input.get_mut(at).into_iter().for_each(|place| *place = byte);
                }
            }
        }
        input.truncate(LONGEST_INPUT);
    }
}

/// Runs the corpus of a target, and mutations of it.
pub fn fuzz(target: &str, run: fn(&[u8])) {
    let seeds = seeds(target);
    let mut random = Random(0x9e37_79b9_7f4a_7c15);
    for seed in &seeds {
        run(seed);
        let mut input = seed.clone();
        for _ in 0..MUTATIONS {
            let other = &seeds[random.below(seeds.len())];
            random.mutate(&mut input, other);
            run(&input);
            if input.len() < 16 || random.below(16) == 0 {
                input.clone_from(seed);
            }
        }
    }
}
