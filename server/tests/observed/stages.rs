//! From the first moment on the admin port says how a server is.

use std::net::SocketAddr;
use std::sync::Arc;

use engine::{Config, Database, OsFs};
use server::{Ports, Server};
use stdx::clock::SystemClock;

use crate::live::{Live, get, works};

#[test]
fn a_server_is_not_ready_before_its_database_is_open() {
    let directory = tempfile::tempdir().expect("a temporary directory");
    let any = SocketAddr::from(([127, 0, 0, 1], 0));
    let options = server::Config { listen: any, admin: any, ..server::Config::default() };
    let ports = Ports::take(&options).and_then(Ports::open_admin).expect("free ports");
    let addr = ports.admin_addr();
    let (status, body) = get(addr, "/ready");
    assert_eq!(status, 503);
    assert!(body.contains("\"recovering\"") && body.contains("replayed"), "{body}");
    let (status, body) = get(addr, "/health");
    assert_eq!(status, 200, "it is alive: {body}");
    let (status, body) = get(addr, "/metrics");
    assert!(status == 200 && body.contains("\nlarder_ready 0\n"), "{body}");
    assert_eq!(get(addr, "/debug/slow").0, 200);
    let files = OsFs::open(directory.path()).expect("the directory can be used");
    let database = Database::open(files, &Config::default(), Arc::new(SystemClock::new()));
    let server = Server::start_on(ports, &options, database.expect("it opens")).expect("it starts");
    assert_eq!(server.admin_addr(), addr, "the port stays open");
    let (status, body) = get(addr, "/ready");
    assert!(status == 200 && body.contains("\"ready\":true"), "{status} {body}");
    assert_eq!(get(addr, "/ready?writes=true").0, 200);
    server.shutdown().expect("it ends well");
    assert!(std::net::TcpStream::connect(addr).is_err(), "closed at the end");
}

/// What broke: a server whose log is poisoned goes on to answer reads, and `/ready` had whoever balances load by it stop them.
#[tokio::test]
async fn a_server_whose_log_is_poisoned_is_ready_for_reads_and_not_for_writes() {
    let live = Live::start();
    let client = live.client();
    works(&client).await;
    live.database().wal().poison("a planted failure of the disk");
    let fraud = client.service("fraud").await.expect("defined");
    fraud.read().key("card", "c1").send().await.expect("reads go on");
    let (status, body) = live.get("/ready");
    assert!(status == 200 && body.contains("\"ready\":true"), "{status} {body}");
    assert!(body.contains("\"writes\":false") && body.contains("\"stage\":\"poisoned\""), "{body}");
    assert!(body.contains("a planted failure"), "it says why: {body}");
    let (status, body) = live.get("/ready?writes=true");
    assert!(status == 503 && body.contains("a planted failure"), "{status} {body}");
    let (status, body) = live.get("/ready?write=true");
    assert!(status == 400 && body.contains("writes=true"), "{status} {body}");
    let (status, body) = live.get("/health");
    assert!(status == 503 && body.contains("\"poisoned\""), "a restart is what helps: {body}");
    let scrape = live.scrape();
    assert_eq!(scrape.value("larder_ready"), 1.0);
    assert_eq!(scrape.value("larder_trouble{kind=\"poisoned\"}"), 1.0);
}
