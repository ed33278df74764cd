//! What is secret appears in no text for people: log, exceptions, failures, mistakes of the load.
//! What a script sends to its target is never touched.

use super::*;
use crate::stats::Collector;

fn inputs() -> Inputs {
    Inputs {
        params: [("password".to_owned(), "hunter2".to_owned())].into(),
        environment: [
            ("TOKEN".to_owned(), "tok-env-1".to_owned()),
            ("STAGE".to_owned(), "dev".to_owned()),
        ]
        .into(),
        ..Inputs::default()
    }
}

const DECLARED: &str = "const PASSWORD = param(\"password\", \"\", #{ secret: true });
    const OPEN = param(\"open\", \"visible\");
    const TOP = env(\"TOKEN\");
    log_info(`top ${PASSWORD} ${TOP} ${OPEN}`);";

fn world(body: &str, host: Option<&str>) -> World {
    let script = format!("{DECLARED} {}", task(body));
    World::of(&[("s.rhai", &script)], &inputs(), host)
}

#[test]
fn logs_and_exceptions_are_masked_and_values_are_not() {
    on_load_thread(async || {
        let world = world(
            "this.password = PASSWORD;
            log_info(this.password, OPEN, env(\"STAGE\"));
            log_warn(to_json(#{ p: PASSWORD, t: env(\"TOKEN\") }));
            if PASSWORD != \"hunter2\" || PASSWORD.len() != 7 { throw \"changed\"; }
            throw `bad ${PASSWORD} with ${env(\"TOKEN\")}`;",
            None,
        );
        assert_eq!(world.program.said()[0].text, "top *** *** visible");
        let failure = world.failure().await;
        assert_eq!(failure.message, "bad *** with ***");
        assert_eq!(
            world.printed(),
            ["*** visible dev", "{\"p\":\"***\",\"t\":\"***\"}"]
        );
    });
}

#[test]
fn why_requests_fail_is_masked() {
    on_load_thread(async || {
        let target = target();
        let host = format!("http://{}", target.address());
        let world = world(
            "let r = this.client.get(\"/hello\"); r.failure(`token was ${PASSWORD}`);
            let r = this.client.get(\"/status/500\", #{ name: `/x/${TOP}` });
            let r = this.client.get(\"/hello\"); throw PASSWORD;",
            Some(&host),
        );
        assert_eq!(world.failure().await.message, "***");
        let mut collector = Collector::new(Limits::default());
        collector.absorb(world.thread.record(|recorder| recorder.take(None)));
        collector.end(60_000_000);
        let summary = collector.summary(60_000_000);
        let mut errors: Vec<_> = summary
            .errors
            .iter()
            .map(|row| row.error.to_string())
            .collect();
        errors.sort();
        assert_eq!(errors.len(), 3, "{errors:?}");
        assert!(
            errors
                .iter()
                .all(|error| !error.contains("hunter2") && !error.contains("tok-env"))
        );
        assert!(
            errors.iter().any(|error| error == "script error: ***"),
            "{errors:?}"
        );
        assert!(
            errors.iter().any(|error| error == "token was ***"),
            "{errors:?}"
        );
    });
}

#[test]
fn mistakes_of_the_load_are_masked() {
    let script = format!("{DECLARED} throw `no ${{PASSWORD}} ${{TOP}}`;");
    let problems = Program::compile(&bundle(&[("s.rhai", &script)]), &inputs())
        .err()
        .unwrap();
    assert!(
        problems[0].message.contains("no *** ***"),
        "{}",
        problems[0]
    );
}

#[test]
fn a_reason_to_stop_is_masked() {
    on_load_thread(async || {
        let ended = world("stop_test(PASSWORD)", None).run().await.unwrap_err();
        assert!(
            format!("{ended:?}").contains("StopTest(\"***\")"),
            "{ended:?}"
        );
    });
}

#[test]
fn what_was_secret_stays_so_after_an_edit() {
    on_load_thread(async || {
        let script = "user(\"U\", #{ state: #{ keys: [] },
            on_start: || this.keys.push(env(\"TOKEN\")),
            on_stop: || this.keys.push(env(\"OTHER\")),
            t: task(|| 0) });";
        let environment = [("TOKEN", "tok-env-1"), ("OTHER", "tok-env-2")];
        let owned = environment.map(|(name, value)| (name.to_owned(), value.to_owned()));
        let inputs = Inputs {
            environment: owned.into(),
            ..Inputs::default()
        };
        let world = World::of(&[("s.rhai", script)], &inputs, None);
        let (user, _) = world.call(world.user(0), Function::OnStart).await;
        // The edited script does not read the environment; this user has, and still does after the
        // edit is in service.
        world.edit(
            "user(\"U\", #{ t: task(|| { print(this.keys); throw this.keys[1]; }) });",
            None,
        );
        let (mut user, _) = world.call(user, Function::OnStop).await;
        assert!(user.renew());
        let (_, answer) = world.call(user, Function::Task(0)).await;
        assert_eq!(world.printed(), ["[\"***\", \"***\"]"]);
        match answer {
            Err(Ended::Failure(failure)) => assert_eq!(failure.message, "***"),
            other => panic!("{other:?}"),
        }
    });
}
