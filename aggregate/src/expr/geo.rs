//! Distances on the earth.
//!
//! Sine, cosine and arc sine are those of `libm`, for the reason that `math` gives.

use super::DomainError;

/// The mean radius R1 = (2a + b) / 3 of the ellipsoid of WGS 84, as IUGG rounds it, in metres.
const EARTH_RADIUS_M: f64 = 6_371_008.8;
/// π / 180, rounded to f64.
const RADIANS_PER_DEGREE: f64 = std::f64::consts::PI / 180.0;

/// The great-circle distance in metres of two points given in degrees, by the haversine formula (R. W. Sinnott, "Virtues
/// of the Haversine", 1984). The earth is no sphere: up to 0.6 % off.
pub(super) fn haversine([lat1, lon1, lat2, lon2]: [f64; 4]) -> Result<f64, DomainError> {
    if !(-90.0..=90.0).contains(&lat1) || !(-90.0..=90.0).contains(&lat2) {
        return Err(DomainError::Latitude);
    }
    if !(-180.0..=180.0).contains(&lon1) || !(-180.0..=180.0).contains(&lon2) {
        return Err(DomainError::Longitude);
    }
    let half_sine_squared = |from: f64, to: f64| {
        let sine = libm::sin((to - from) * RADIANS_PER_DEGREE / 2.0);
        sine * sine
    };
    let cosines = libm::cos(lat1 * RADIANS_PER_DEGREE) * libm::cos(lat2 * RADIANS_PER_DEGREE);
    let haversine = half_sine_squared(lat1, lat2) + cosines * half_sine_squared(lon1, lon2);
    // Roundings may lift antipodes above 1, where there is no arc sine.
    let chord = haversine.sqrt().min(1.0);
    Ok(2.0 * EARTH_RADIUS_M * libm::asin(chord))
}

#[cfg(test)]
mod tests {
    use super::*;

    const HALF_TURN_M: f64 = std::f64::consts::PI * EARTH_RADIUS_M;

    fn distance(points: [f64; 4]) -> f64 {
        haversine(points).expect("in range")
    }

    #[test]
    fn cities_are_as_far_apart_as_atlases_say() {
        for (points, kilometres) in [
            ([51.5074, -0.1278, 48.8566, 2.3522], 344.0),
            ([40.7128, -74.0060, 34.0522, -118.2437], 3_936.0),
            ([35.6762, 139.6503, -33.8688, 151.2093], 7_823.0),
            // Across the date line.
            ([-36.8509, 174.7645, 21.3069, -157.8583], 7_090.0),
        ] {
            let found = distance(points) / 1000.0;
            assert!((found / kilometres - 1.0_f64).abs() < 0.002, "{points:?}: {found} km");
        }
    }

    #[test]
    fn a_degree_of_a_meridian_is_its_share_of_the_circle() {
        let degree = HALF_TURN_M / 180.0;
        assert!((distance([0.0, 7.0, 1.0, 7.0]) - degree).abs() < 1e-6);
        assert!((distance([0.0, 179.5, 0.0, -179.5]) - degree).abs() < 1e-6);
        assert_eq!(distance([12.5, 7.0, 12.5, 7.0]), 0.0);
        assert!((distance([90.0, 0.0, 90.0, 77.0])).abs() < 1e-6);
    }

    #[test]
    fn antipodes_are_half_a_turn_apart_and_never_fail() {
        let mut random = stdx::prng::Prng::new(3);
        for _ in 0..20_000 {
            let (lat, lon) = (random.unit() * 180.0 - 90.0, random.unit() * 180.0);
            let found = distance([lat, lon, -lat, lon - 180.0]);
            assert!((HALF_TURN_M - found).abs() < 0.5, "{lat} {lon}: {found}");
        }
    }

    #[test]
    fn the_way_back_is_as_long() {
        let mut random = stdx::prng::Prng::new(4);
        let mut point = || (random.unit() * 180.0 - 90.0, random.unit() * 360.0 - 180.0);
        for _ in 0..20_000 {
            let ((a, b), (c, d)) = (point(), point());
            assert_eq!(distance([a, b, c, d]).to_bits(), distance([c, d, a, b]).to_bits());
        }
    }

    #[test]
    fn degrees_outside_the_globe_are_refused() {
        assert_eq!(haversine([90.5, 0.0, 0.0, 0.0]), Err(DomainError::Latitude));
        assert_eq!(haversine([0.0, 0.0, -91.0, 0.0]), Err(DomainError::Latitude));
        assert_eq!(haversine([0.0, 180.5, 0.0, 0.0]), Err(DomainError::Longitude));
        assert_eq!(haversine([0.0, 0.0, 0.0, -181.0]), Err(DomainError::Longitude));
        assert!(haversine([90.0, 180.0, -90.0, -180.0]).is_ok());
    }
}
