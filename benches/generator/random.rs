//! Numbers that look drawn, and are functions of what they are drawn for.

/// A bijection that scatters its argument's bits over all of the result's: the finalizer of SplitMix64.
pub fn mix(mut bits: u64) -> u64 {
    bits = bits.wrapping_add(0x9E37_79B9_7F4A_7C15);
    bits = (bits ^ (bits >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
    bits = (bits ^ (bits >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
    bits ^ (bits >> 31)
}

/// From 0 to just below 1.
pub fn fraction(bits: u64) -> f64 {
    (bits >> 11) as f64 / (1u64 << 53) as f64
}

pub fn pick<T: Copy, const N: usize>(choices: &[T; N], bits: u64) -> T {
    choices[(bits % N as u64) as usize]
}

/// Chooses users by rank, the one of rank r with a probability of about (r + 1)^-skew.
pub struct Zipf {
    users: f64,
    /// 1 - skew; near 0 the integral is a logarithm.
    power: f64,
    integral: f64,
}

impl Zipf {
    pub fn new(users: u64, skew: f64) -> Self {
        let users = users as f64;
        let power = 1.0 - skew;
        let integral = if power.abs() < 1e-9 { (users + 1.0).ln() } else { (users + 1.0).powf(power) - 1.0 };
        Zipf { users, power, integral }
    }

    pub fn rank(&self, fraction: f64) -> u64 {
        let part = fraction * self.integral;
        let place = if self.power.abs() < 1e-9 {
            part.exp()
        } else if self.power == 0.5 {
            (part + 1.0) * (part + 1.0)
        } else {
            (part + 1.0).powf(1.0 / self.power)
        };
        (place - 1.0).clamp(0.0, self.users - 1.0) as u64
    }
}
