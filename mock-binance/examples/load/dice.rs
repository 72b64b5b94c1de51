//! Numbers that look random and are the same each time.

/// The linear congruential generator of Knuth's MMIX.
pub struct Dice(pub u64);

impl Dice {
    pub const fn below(&mut self, end: u64) -> u64 {
        self.0 = self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (self.0 >> 33) % end
    }
}
