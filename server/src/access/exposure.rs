//! Addresses that others can reach: refused unless somebody says who may do what, or that nobody is asked.

use std::net::SocketAddr;

use crate::{Config, Error};

/// Refuses a native port that others can reach without a policy, and an admin port that they can reach at all, unless the
/// configuration says so.
pub(crate) fn check(config: &Config) -> Result<(), Error> {
    if config.insecure {
        return Ok(());
    }
    if is_open(config.listen) && config.access.is_none() {
        let why = "others can reach it, and whoever does could read and write everything: say with --access FILE who may do what, or --insecure";
        return Err(Error::Exposed { addr: config.listen, why });
    }
    if is_open(config.admin) && !config.admin_public {
        let why = "others can reach it, and the admin port asks nobody who they are: choose an address of this machine alone, or say --admin-public";
        return Err(Error::Exposed { addr: config.admin, why });
    }
    Ok(())
}

/// Others can reach it.
fn is_open(addr: SocketAddr) -> bool {
    !addr.ip().to_canonical().is_loopback()
}

/// Says at every start what was allowed in so many words.
pub(crate) fn tell(config: &Config) {
    let (listen, admin) = (config.listen, config.admin);
    if config.insecure {
        tracing::warn!(
            %listen,
            %admin,
            has_policy = config.access.is_some(),
            "--insecure: whoever reaches these addresses is asked nothing that was not configured"
        );
    } else if is_open(admin) {
        tracing::warn!(%admin, "--admin-public: whoever reaches the admin port sees the server's figures and the names of definitions");
    }
    if is_open(listen) && config.access.is_some() && config.tls.is_none() {
        tracing::warn!(%listen, "tokens travel as they are, and others can reach this address: give a certificate (--tls-cert, --tls-key)");
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_others_can_reach_is_refused_until_it_is_said() {
        let local = || SocketAddr::from(([127, 0, 0, 1], 0));
        let of = |listen: &str, admin: &str| Config {
            listen: listen.parse().expect("an address"),
            admin: admin.parse().expect("an address"),
            ..Config::default()
        };
        let refused = |config: &Config| check(config).err().map(|error| error.to_string());
        assert_eq!(refused(&Config { listen: local(), admin: local(), ..Config::default() }), None);
        for loopback in ["[::1]:0", "127.9.9.9:0", "[::ffff:127.0.0.1]:0"] {
            assert_eq!(refused(&of(loopback, "127.0.0.1:0")), None, "{loopback}");
        }
        for addr in ["0.0.0.0:0", "[::]:0", "10.0.0.1:0", "[::ffff:10.0.0.1]:0"] {
            let open = of(addr, "127.0.0.1:0");
            let error = refused(&open).expect(addr);
            assert!(error.contains("--access") && error.contains("--insecure"), "{error}");
            assert_eq!(refused(&Config { access: Some("a.toml".into()), ..open.clone() }), None);
            assert_eq!(refused(&Config { insecure: true, ..open }), None);
            let admin = of("127.0.0.1:0", addr);
            let admin = Config { access: Some("a.toml".into()), ..admin };
            assert!(refused(&admin).expect(addr).contains("--admin-public"));
            assert_eq!(refused(&Config { admin_public: true, ..admin }), None);
        }
    }
}
