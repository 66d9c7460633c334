//! Every operation, by every subject: who may is answered, who may not is denied, and told what was missing.

use client::{Client, Error};
use protocol::{CallStatus, ExportFormat, ExportRequest};

use crate::setting::{SUBJECTS, Setting, refused};

/// Something that is asked for, and who gets it.
struct Case {
    what: &'static str,
    allowed: &'static [&'static str],
    /// Denials of others say so.
    missing: &'static str,
}

const fn case(what: &'static str, allowed: &'static [&'static str], missing: &'static str) -> Case {
    Case { what, allowed, missing }
}

const EVERYTHING: &[&str] = &["everything"];

/// `mailer` has no purpose here, `everything` declares one.
const CASES: &[Case] = &[
    case("service fraud", &["scorer", "everything"], "read service:fraud"),
    case("service mailing", EVERYTHING, "read service:mailing"),
    case("service risk", EVERYTHING, "read service:risk"),
    case("service public", EVERYTHING, "read service:public"),
    case("service none", EVERYTHING, "read service:none"),
    case("features profile:country", &["scorer", "mailer", "everything"], "read profile:country"),
    case("features profile:email", EVERYTHING, "read profile:email"),
    case("features profile:*", EVERYTHING, "read profile:*"),
    case("features spend:*", &["scorer", "composer", "everything"], "read spend:*"),
    case("features secret:salary", EVERYTHING, "read secret:salary"),
    case("scan profile", EVERYTHING, "group:profile"),
    case("scan spend", &["scorer", "composer", "everything"], "read group:spend"),
    case("scan secret", EVERYTHING, "group:secret"),
    case("put profile", &["writer", "everything"], "profile"),
    case("put secret", &["writer", "everything"], "secret"),
    case("delete profile", &["writer", "everything"], "profile"),
    case("push", &["scorer", "everything"], "write stream:payments"),
    case("retract", &["scorer", "everything"], "write stream:payments"),
    case("export spend", &["scorer", "composer", "admin", "everything"], "admin"),
    case("export secret", &["admin", "everything"], "admin"),
    case("export", &["admin", "everything"], "admin"),
    case("checkpoint", &["admin", "everything"], "admin"),
    case("backup", &["admin", "everything"], "admin"),
    case("stats", &["admin", "everything"], "admin"),
    case("apply group", &["owner", "everything"], "define"),
    case("apply service of spend", &["owner", "composer", "everything"], "define"),
    case("apply service of secret", &["owner", "everything"], "define"),
    case("apply nonsense", &[], "define"),
    case("ping", &SUBJECTS, ""),
    case("hello", &SUBJECTS, ""),
    case("describe", &SUBJECTS, ""),
];

async fn ask(client: &Client, subject: &str, what: &str) -> Result<(), Error> {
    let key = format!("{subject}_{}", what.replace(' ', "_"));
    let (verb, rest) = what.split_once(' ').unwrap_or((what, ""));
    match verb {
        "service" => {
            let reader = client.service(rest).await?;
            if rest == "public" {
                // It has no entity that could be read.
                return Ok(());
            }
            let read = reader.read().key("card", "c1");
            read.send().await.map(drop)
        }
        "features" => {
            client.features(&[rest]).await?.read().key("card", "c1").send().await.map(drop)
        }
        "scan" => client.group(rest).await?.scan(10).next().await.map(drop),
        "put" => {
            let group = client.group(rest).await?;
            let row = group.row().key(key.as_str());
            let row = match rest {
                "secret" => row.set("salary", 2000_i64),
                _ => row.set("country", "CH").set("email", "a@b"),
            };
            group.put([row]).await.map(drop)
        }
        "delete" => client.group(rest).await?.delete(["nobody"]).await.map(drop),
        "push" | "retract" => {
            let stream = client.stream("payments").await?;
            let event = stream.event().set("id", key.as_str()).set("card", "c1");
            let event = event.set("amount", 5_i64).set("ts", 1_700_000_000_000_i64);
            match verb {
                "push" => stream.push([event]).await.map(drop),
                _ => stream.retract([event]).await.map(drop),
            }
        }
        "export" => {
            let groups = if rest.is_empty() { Vec::new() } else { vec![rest] };
            let format = ExportFormat::Arrow;
            let request =
                ExportRequest { name: &key, format, groups, as_of: None, partials: false };
            client.export(&request).await.map(drop)
        }
        "checkpoint" => client.checkpoint(None).await.map(drop),
        "backup" => client.checkpoint(Some(subject)).await.map(drop),
        "stats" => client.stats().await.map(drop),
        "apply" => client.apply("n.toml", &definitions(rest), true).await.map(drop),
        "ping" => client.ping().await,
        "hello" => client.hello().await.map(drop),
        "describe" => client.describe(None).await.map(drop),
        other => panic!("{other}"),
    }
}

fn definitions(what: &str) -> String {
    match what {
        "group" => "[group.new]\nentity = \"card\"\n[group.new.features]\na = \"i64\"\n".to_owned(),
        "service of spend" => "[service.new]\nfeatures = [\"spend:*\"]\n".to_owned(),
        "service of secret" => "[service.new]\nfeatures = [\"secret:*\"]\n".to_owned(),
        _ => "[service.new]\nfeatures = [\"secrets:*\"]\n".to_owned(),
    }
}

#[tokio::test]
async fn every_operation_is_for_those_to_whom_it_was_granted() {
    let setting = Setting::start();
    for subject in SUBJECTS {
        let builder = setting.builder().token(setting.token(subject));
        let builder = if subject == "everything" { builder.purpose("audit") } else { builder };
        let client = builder.build();
        for Case { what, allowed, missing } in CASES {
            let outcome = ask(&client, subject, what).await;
            let is_defining = ["owner", "composer", "everything"].contains(&subject);
            if allowed.contains(&subject) {
                match outcome {
                    Ok(()) => {}
                    // Allowed to ask, and there is none.
                    Err(error) => {
                        assert_eq!(
                            error.status(),
                            Some(CallStatus::NotFound),
                            "{what}, {subject}: {error}"
                        );
                        assert_eq!(*what, "service none", "{subject}: {error}");
                    }
                }
            } else if *what == "apply nonsense" && is_defining {
                assert_eq!(refused(outcome).0, CallStatus::Invalid, "{what}, {subject}");
            } else {
                let (status, message) = refused(outcome);
                assert_eq!(status, CallStatus::Denied, "{what}, {subject}: {message}");
                let is_told = message.contains(missing) || message.contains("tagged pii");
                assert!(
                    is_told || message.contains("administrator"),
                    "{what}, {subject}: {message}"
                );
            }
        }
    }
    assert!(setting.figure("requests_denied").await > 0);
    assert!(!setting.has_export("mailer_export") && setting.has_export("admin_export"));
}

/// `mailer` may read the whole profile, whose `email` is personal: for support, and for nothing else.
#[tokio::test]
async fn personal_features_are_read_for_listed_purposes_only() {
    let setting = Setting::start();
    let client =
        |purpose: &str| setting.builder().token(setting.token("mailer")).purpose(purpose).build();
    for what in ["service mailing", "features profile:email", "scan profile", "export profile"] {
        ask(&client("support"), "mailer", what)
            .await
            .unwrap_or_else(|error| panic!("{what}: {error}"));
        let (status, message) = refused(ask(&client("marketing"), "mailer", what).await);
        assert_eq!(status, CallStatus::Denied);
        assert!(message.contains("profile:email is tagged pii"), "{message}");
        assert!(message.contains("purpose marketing is not one of support"), "{message}");
        let (_, message) = refused(ask(&setting.client("mailer"), "mailer", what).await);
        assert!(message.contains("declare one of the purposes support"), "{message}");
    }
    // What single readers say goes before what the client says.
    let marketing = client("marketing");
    let reader = marketing.service_for("mailing", "support").await.expect("it is listed");
    reader.read().key("card", "c1").send().await.expect("it is listed");
    let support = client("support");
    assert_eq!(refused(support.service_for("mailing", "marketing").await).0, CallStatus::Denied);
    assert_eq!(refused(support.features_for(&["profile:*"], "").await).0, CallStatus::Denied);
    let reader = support.features_for(&["profile:*"], "support").await.expect("it is listed");
    reader.read().key("card", "c1").send().await.expect("it is listed");
}

#[tokio::test]
async fn describe_has_no_word_of_what_is_not_for_whoever_asks() {
    let setting = Setting::start();
    let seen = |subject: &'static str| {
        let client = setting.client(subject);
        async move {
            let mut names: Vec<String> = Vec::new();
            for section in client.describe(None).await.expect("everybody may").sections {
                let columns = section.columns.iter().map(|(name, ..)| name.as_str());
                let columns: Vec<_> = columns.collect();
                names.push(format!("{}({})", section.name, columns.join(" ")));
            }
            names.join(", ")
        }
    };
    assert_eq!(
        seen("scorer").await,
        "card(), payments(id card amount ts), profile(country), spend(total_1h), fraud(country total_1h)"
    );
    assert_eq!(
        seen("composer").await,
        "card(), spend(total_1h), fraud(country total_1h), mailing(email), risk(salary is_rich), public(is_large)"
    );
    assert_eq!(seen("admin").await, "");
    let client = setting.client("scorer");
    for hidden in ["secret", "risk", "none"] {
        let (status, message) = refused(client.describe(Some(hidden)).await);
        assert_eq!(status, CallStatus::Invalid);
        assert_eq!(
            message,
            format!("name {hidden:?}: not defined, or not for subject scorer to see (INVALID)")
        );
    }
    // Names that are there and names that are not get the same answer.
    let (_, there) = refused(client.service("risk").await);
    let (_, not_there) = refused(client.service("rusk").await);
    assert_eq!(there.replace("risk", "rusk"), not_there);
    let (_, there) = refused(client.features(&["secret:salary"]).await);
    let (_, not_there) = refused(client.features(&["secret:celery"]).await);
    assert_eq!(there.replace("salary", "celery"), not_there);
}
