//! What functions refuse: arguments for which they have no value, with what to write instead.

/// An argument outside the domain of a function.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum DomainError {
    /// `ln(0)`
    #[error("ln of 0 has no value; write ln(nullif(x, 0)) to get null instead")]
    LnOfZero,
    /// `ln(-1)`
    #[error(
        "ln of a number below 0 has no value; write case when x > 0 then ln(x) end to get null instead"
    )]
    LnOfNegative,
    /// `sqrt(-1)`
    #[error("sqrt of a number below 0 has no value; write sqrt(greatest(x, 0)) to get 0 instead")]
    SqrtOfNegative,
    /// `power(0, -1)`
    #[error(
        "power of 0 to a number below 0 has no value; write power(nullif(x, 0), y) to get null instead"
    )]
    PowerOfZero,
    /// `power(-1, 0.5)`
    #[error(
        "power of a number below 0 to a fraction has no value; write power(abs(x), y), or round y"
    )]
    PowerOfNegative,
    /// `exp(1000)`
    #[error("exp of more than 709.78 does not fit into f64; write exp(least(x, 709)) to limit it")]
    ExpTooLarge,
    /// `power(10, 1000)`
    #[error(
        "power gives a number beyond 1.8e308, which does not fit into f64; limit x or y by least(…)"
    )]
    PowerTooLarge,
    /// A latitude of 91.
    #[error(
        "haversine needs latitudes from -90 to 90 degrees; the order is lat1, lon1, lat2, lon2"
    )]
    Latitude,
    /// A longitude of 181.
    #[error(
        "haversine needs longitudes from -180 to 180 degrees; the order is lat1, lon1, lat2, lon2"
    )]
    Longitude,
    /// `x like '\'`
    #[error("a pattern of like ends in its escape \\; write \\\\ for the character itself")]
    Escape,
}
