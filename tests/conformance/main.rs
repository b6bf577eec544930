//! One suite of requests and their answers, against a real kube-apiserver and the sandbox: where they differ, the sandbox is
//! wrong. `README.md` tells how to write a case and how to run one.

#[cfg(test)]
mod case;
#[cfg(test)]
mod columns;
#[cfg(test)]
mod differential;
#[cfg(test)]
mod fill;
#[cfg(test)]
mod flux;
#[cfg(test)]
mod kubectl;
#[cfg(test)]
mod normal;
#[cfg(test)]
mod report;
#[cfg(test)]
mod run;
#[cfg(test)]
mod runner_tests;
#[cfg(test)]
mod server;

#[cfg(test)]
mod suite {
    use crate::case::{self, Case};
    use crate::report::Report;
    use crate::run;
    use crate::server::{self, Servers};

    /// Cases of these areas together, at least.
    const AT_LEAST: [(&[&str], usize); 3] =
        [(&["ownership"], 135), (&["watch", "list"], 30), (&["crds"], 30)];
    const AT_LEAST_IN_ALL: usize = 250;
    /// Cases that run at the same time.
    const PARALLEL: usize = 8;

    #[test]
    fn every_case_gets_the_same_answers_from_both_servers() {
        use futures::StreamExt as _;

        let Some(servers) = server::servers() else { return };
        let all = case::all();
        let chosen = |case: &Case| {
            std::env::var("ARRPLAN_CONFORMANCE_ONLY").map_or(true, |part| case.title().contains(&part))
        };
        let cases: Vec<Case> = all.into_iter().filter(chosen).collect();
        let filtered = std::env::var_os("ARRPLAN_CONFORMANCE_ONLY").is_some();
        let asked = cases.len();
        let runs = futures::stream::iter(cases)
            .map(|case| run_on_all(servers, case))
            .buffer_unordered(PARALLEL)
            .collect::<Vec<_>>();
        let report = Report::new(server::block_on(runs));
        report.show_what_was_asked_for();
        report.print();
        assert_eq!(report.cases(&[]), asked, "every case ran");
        if !filtered {
            for (areas, least) in AT_LEAST {
                let ran = report.cases(areas);
                assert!(ran >= least, "{ran} cases about {}, not {least}", areas.join(" and "));
            }
            assert!(report.cases(&[]) >= AT_LEAST_IN_ALL, "fewer than {AT_LEAST_IN_ALL} cases");
        }
        assert_eq!(report.different(), 0, "cases differ: see above");
    }

    async fn run_on_all(servers: &'static Servers, case: Case) -> (Case, run::Both) {
        let sandbox = async {
            match &servers.sandbox {
                Some(sandbox) => Some(run::run(sandbox, &case).await),
                None => None,
            }
        };
        let real = async {
            match &servers.real {
                Some(real) => Some(run::run(real, &case).await),
                None => None,
            }
        };
        let (real, sandbox) = futures::join!(real, sandbox);
        (case, run::Both { real, sandbox })
    }
}
