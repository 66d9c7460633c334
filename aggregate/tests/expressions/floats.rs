//! Functions of floats: the same bits on every machine, and right to the last place but one.

use model::value::DataType;
use stdx::prng::Prng;

use super::{Compiled, oracle::Oracle, seed};

const SEED: u64 = 20_240_229;

fn floats(text: &str) -> Compiled {
    Compiled::new(text, &["x", "y", "z", "w"].map(|name| (name, DataType::F64)))
}

/// Any positive float, subnormal ones too.
fn positive(random: &mut Prng) -> f64 {
    loop {
        let x = f64::from_bits(random.next_u64() >> 1);
        if x.is_finite() && x > 0.0 {
            return x;
        }
    }
}

/// The largest error that is let pass, in ulps.
const ULPS_MAX: f64 = 1.0;

#[test]
fn logarithms_are_off_by_less_than_one_ulp() {
    let (seed, ln, oracle) = (seed(SEED), floats("ln(x)"), Oracle::new());
    let mut random = Prng::stream(seed, "ln");
    for round in 0..6_000 {
        let x = match round % 3 {
            0 => positive(&mut random),
            1 => random.unit() + 0.5,
            _ => 1.0 + (random.unit() - 0.5) * 1e-6,
        };
        let found = ln.float(&[x]).expect("positive");
        let (is_negative, expected) = oracle.ln(x);
        let off = expected.ulps(found.abs());
        assert!(off <= ULPS_MAX, "seed {seed}: ln({x:e}) = {found:e} is {off} ulps off");
        assert_eq!(found < 0.0, is_negative, "seed {seed}: ln({x:e})");
    }
}

#[test]
fn exponentials_are_off_by_less_than_one_ulp() {
    let (seed, exp, oracle) = (seed(SEED), floats("exp(x)"), Oracle::new());
    let mut random = Prng::stream(seed, "exp");
    for round in 0..6_000 {
        let x = match round % 3 {
            0 => random.unit() * 1450.0 - 740.5,
            1 => random.unit() * 4.0 - 2.0,
            _ => (random.unit() - 0.5) * 1e-6,
        };
        let found = exp.float(&[x]).expect("below the limit");
        let off = oracle.exp(x).ulps(found);
        assert!(off <= ULPS_MAX, "seed {seed}: exp({x:e}) = {found:e} is {off} ulps off");
    }
}

#[test]
fn powers_are_off_by_less_than_one_ulp() {
    let (seed, power, oracle) = (seed(SEED), floats("power(x, y)"), Oracle::new());
    let mut random = Prng::stream(seed, "power");
    for round in 0..6_000 {
        let x = match round % 3 {
            0 => positive(&mut random),
            1 => random.unit() * 10.0,
            _ => 1.0 + (random.unit() - 0.5) * 1e-9,
        };
        if x == 0.0 || x == 1.0 {
            continue;
        }
        // The result lies between e^-740 and e^709.
        let y = (random.unit() * 1449.0 - 740.0) / x.ln();
        let found = power.float(&[x, y]).expect("finite");
        let off = oracle.power(x, y).ulps(found);
        assert!(off <= ULPS_MAX, "seed {seed}: power({x:e}, {y:e}) = {found:e} is {off} ulps off");
        let whole = (y / 2.0).trunc();
        if whole.abs() < 1e9 {
            let even = power.float(&[x, 2.0 * whole]).expect("finite");
            assert_eq!(power.float(&[-x, 2.0 * whole]), Ok(even), "seed {seed}: {x:e} {whole}");
        }
    }
}

#[test]
fn larger_arguments_give_no_smaller_results() {
    let seed = seed(SEED);
    let mut random = Prng::stream(seed, "monotonic");
    for (text, low, high) in
        [("ln(x)", 1e-300, 1e9), ("ln(x)", 0.5, 2.0), ("exp(x)", -745.0, 709.0)]
    {
        let function = floats(text);
        for _ in 0..50_000 {
            let x = low + random.unit() * (high - low);
            let mut before = function.float(&[x]).expect(text);
            let mut at = x;
            for _ in 0..4 {
                at = at.next_up();
                let next = function.float(&[at]).expect(text);
                assert!(before <= next, "seed {seed}: {text} falls at {at:e}");
                before = next;
            }
        }
    }
}

/// An expression, its inputs, and the bits of its value.
type Golden = (&'static str, [f64; 4], u64);

/// Each was held against 60 digits: all but five are the nearest float, those five its neighbour. Whatever changes one of
/// these bits changes what models were trained on.
#[rustfmt::skip]
const GOLDEN: &[Golden] = &[
    ("ln(x)", [2.0, 0.0, 0.0, 0.0], 0x3fe6_2e42_fefa_39ef),
    ("ln(x)", [10.0, 0.0, 0.0, 0.0], 0x4002_6bb1_bbb5_5516),
    ("ln(x)", [0.1, 0.0, 0.0, 0.0], 0xc002_6bb1_bbb5_5515),
    ("ln(x)", [0.7, 0.0, 0.0, 0.0], 0xbfd6_d3c3_24e1_3f50),
    ("ln(x)", [1e-300, 0.0, 0.0, 0.0], 0xc085_9634_47f8_7fb5),
    ("ln(x)", [5e-324, 0.0, 0.0, 0.0], 0xc087_4385_446d_71c3),
    ("ln(x)", [1.0000000001, 0.0, 0.0, 0.0], 0x3ddb_7cdf_fffa_18d8),
    ("ln(x)", [0.999999, 0.0, 0.0, 0.0], 0xbeb0_c6f8_2d74_d230),
    ("ln(x)", [3.7e+200, 0.0, 0.0, 0.0], 0x407c_dd34_a3b0_5fd7),
    ("ln(x)", [1.7976931348623157e+308, 0.0, 0.0, 0.0], 0x4086_2e42_fefa_39ef),
    ("exp(x)", [1.0, 0.0, 0.0, 0.0], 0x4005_bf0a_8b14_576a),
    ("exp(x)", [-1.0, 0.0, 0.0, 0.0], 0x3fd7_8b56_362c_ef38),
    ("exp(x)", [0.5, 0.0, 0.0, 0.0], 0x3ffa_6129_8e1e_069c),
    ("exp(x)", [10.25, 0.0, 0.0, 0.0], 0x40db_9ea2_aed2_a0f2),
    ("exp(x)", [1e-10, 0.0, 0.0, 0.0], 0x3ff0_0000_0006_df38),
    ("exp(x)", [-0.3, 0.0, 0.0, 0.0], 0x3fe7_b4c8_69c3_7c05),
    ("exp(x)", [-745.0, 0.0, 0.0, 0.0], 0x0000_0000_0000_0001),
    ("exp(x)", [-720.5, 0.0, 0.0, 0.0], 0x0000_0005_cf08_fff0),
    ("exp(x)", [709.75, 0.0, 0.0, 0.0], 0x7fee_f85a_11e7_3f2d),
    ("exp(x)", [100.1, 0.0, 0.0, 0.0], 0x48f5_508d_07df_81bb),
    ("sqrt(x)", [2.0, 0.0, 0.0, 0.0], 0x3ff6_a09e_667f_3bcd),
    ("sqrt(x)", [5e-324, 0.0, 0.0, 0.0], 0x1e60_0000_0000_0000),
    ("sqrt(x)", [0.1, 0.0, 0.0, 0.0], 0x3fd4_3d13_6248_490f),
    ("sqrt(x)", [1e+300, 0.0, 0.0, 0.0], 0x5f13_8d35_2e50_96af),
    ("power(x, y)", [2.0, 0.5, 0.0, 0.0], 0x3ff6_a09e_667f_3bcd),
    ("power(x, y)", [10.0, -3.0, 0.0, 0.0], 0x3f50_624d_d2f1_a9fc),
    ("power(x, y)", [1.0001, 12345.678, 0.0, 0.0], 0x400b_7e52_6b8e_001c),
    ("power(x, y)", [-3.0, 7.0, 0.0, 0.0], 0xc0a1_1600_0000_0000),
    ("power(x, y)", [0.5, 1074.0, 0.0, 0.0], 0x0000_0000_0000_0001),
    ("power(x, y)", [7.25, -2.75, 0.0, 0.0], 0x3f71_a321_a46f_991a),
    ("power(x, y)", [1e-05, 61.5, 0.0, 0.0], 0x0016_bd3d_7ae3_6ec2),
    ("power(x, y)", [0.9999999, 1000000000.0, 0.0, 0.0], 0x36ea_8c16_7961_9156),
    ("power(x, y)", [10.0, 22.0, 0.0, 0.0], 0x4480_f0cf_064d_d592),
    ("haversine(x, y, z, w)", [51.5074, -0.1278, 48.8566, 2.3522], 0x4114_f812_23b7_d073),
    ("haversine(x, y, z, w)", [40.7128, -74.006, 34.0522, -118.2437], 0x414e_0703_d86f_36d1),
    ("haversine(x, y, z, w)", [35.6762, 139.6503, -33.8688, 151.2093], 0x415d_da69_5b43_89d4),
    ("haversine(x, y, z, w)", [0.0, 0.0, 0.0, 180.0], 0x4173_1680_a712_9443),
    ("haversine(x, y, z, w)", [12.5, 30.25, -12.5, -149.75], 0x4173_1680_a712_9443),
    ("haversine(x, y, z, w)", [47.37, 8.54, 47.3700001, 8.5400001], 0x3f8b_8106_9aba_fdb1),
    ("haversine(x, y, z, w)", [90.0, 0.0, -90.0, 0.0], 0x4173_1680_a712_9443),
];

#[test]
fn floats_have_the_bits_they_always_had() {
    for (text, inputs, bits) in GOLDEN {
        let found = floats(text).float(inputs).expect(text);
        assert_eq!(
            found.to_bits(),
            *bits,
            "{text} of {inputs:?} is {found:e}, {:#018x}",
            found.to_bits()
        );
    }
}
