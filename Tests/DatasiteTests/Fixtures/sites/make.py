#!/usr/bin/env python3
"""Writes the site folder that a schema adds to these fixtures, and what is known of it:

    make.py PARLEY schema-N

PARLEY is the command of the version whose schema it is. The folder has what `StoredSiteTests` looks for: a spent budget, an
answer to a join, a held, a denied, an approved and a refused question, a synthetic table, and a question and a synthetic
table that were charged and then cut short by a kill.
"""
import json, os, pathlib, random, re, shutil, signal, sqlite3, subprocess, sys, tempfile, time

parley, name = os.path.abspath(sys.argv[1]), sys.argv[2]
here = pathlib.Path(__file__).resolve().parent
work = pathlib.Path(tempfile.mkdtemp())
os.environ["XDG_DATA_HOME"] = str(work / "kept")
random.seed(5)
limited = ("{loss: zcdp, delta: 1e-6, total: {epsilon: 4}, per-researcher: {epsilon: 3}, "
           "windows: [{days: 1, limit: {epsilon: 3.5}}], aggregates: all, approval: automatic}")
tables = {
    "visits": ("person,kind,amount,day\n" + "".join(
        f"{p},{'abc'[(p + v) % 3]},{(p * 7 + v * 13) % 100},2024-01-{1 + (p + v) % 28:02d}\n"
        for p in range(60) for v in range(1 + p % 3)), f"""
name: visits
title: Visits
description: Made up for tests of stored sites
population: patients
unit: {{column: person, rows: 3, groups: 2}}
capacity: {{rows: 1000, units: 1000}}
policy: {limited}
columns:
  - {{name: person, type: integer, nullable: false}}
  - {{name: kind, type: category, domain: [a, b, c], nullable: false}}
  - {{name: amount, type: integer, bounds: [0, 100], nullable: false}}
  - {{name: day, type: date, bounds: [2024-01-01, 2024-01-31], nullable: false}}
"""),
    "stays": ("person,ward,nights\n" + "".join(
        f"{p},{random.choice(['north', 'south'])},{random.randrange(15)}\n" for p in range(0, 60, 2)), f"""
name: stays
title: Stays
description: Made up, of some of the same people
population: patients
unit: {{column: person, rows: 1, groups: 1}}
capacity: {{rows: 100, units: 100}}
policy: {limited}
columns:
  - {{name: person, type: integer, nullable: false}}
  - {{name: ward, type: category, domain: [north, south], nullable: false}}
  - {{name: nights, type: integer, bounds: [0, 30], nullable: false}}
"""),
    "staff": ("name,unit,years\n" + "".join(
        f"n{p},{random.choice('AB')},{random.randrange(40)}\n" for p in range(40)), """
name: staff
title: Staff
description: Made up
population: staff
unit: {column: name, rows: 1, groups: 1}
capacity: {rows: 1000000, units: 1000000}
policy: {loss: renyi, delta: 1e-6, total: {epsilon: 10}, per-researcher: {epsilon: 8}, aggregates: all, approval: owner}
columns:
  - {name: name, type: text, nullable: false}
  - {name: unit, type: category, domain: [A, B], nullable: false}
  - {name: years, type: integer, bounds: [0, 50], nullable: false}
"""),
}
site, port = str(work / "site"), 19990


def run(*arguments, may_fail=False):
    done = subprocess.run([parley, *arguments], capture_output=True, text=True, cwd=work)
    if done.returncode and not may_fail:
        sys.exit(f"{arguments}: {done.stdout}{done.stderr}")
    return done.stdout + done.stderr


def token(user):
    return ["--url", f"http://127.0.0.1:{port}", "--token-file", str(work / f"{user}.token")]


def ask(user, dataset, sql, epsilon, key, *more):
    said = run("ask", dataset, sql, "--epsilon", epsilon, "--idempotency-key", key, *token(user), *more, may_fail=True)
    waits = re.search(r"Request (\w+) waits", said)
    return waits.group(1) if waits else said


run("site", "init", site, "--name", name)
for table, (rows, manifest) in tables.items():
    (work / f"{table}.csv").write_text(rows)
    (work / f"{table}.yaml").write_text(manifest)
    run("data", "add", f"{table}.csv", "--manifest", f"{table}.yaml", "--site", site)
for user, role in [("ada", "researcher"), ("bea", "researcher"), ("olga", "owner"), ("cora", "auditor")]:
    given = run("user", "add", user, "--role", role, "--site", site)
    path = work / f"{user}.token"
    path.write_text(re.search(r"parley_\S+", given).group(0))
    path.chmod(0o600)
server = subprocess.Popen([parley, "serve", "--site", site, "--port", str(port)], stderr=subprocess.DEVNULL)
time.sleep(3)
ask("ada", "visits", "SELECT kind, COUNT(*) AS n, AVG(amount) FROM visits GROUP BY kind", "0.5", "first", "--receipt",
    str(here / f"{name}.receipt"), "--answer", str(here / f"{name}.answer"))
ask("bea", "visits", "SELECT ward, COUNT(*) FROM visits JOIN stays ON visits.person = stays.person GROUP BY ward", "0.4",
    "joined", "--purpose", "stays by ward")
approved = ask("ada", "staff", "SELECT unit, COUNT(*) FROM staff GROUP BY unit", "1", "approved")
pending = ask("ada", "staff", "SELECT AVG(years) FROM staff", "1", "pending", "--purpose", "a study of turnover")
denied = ask("bea", "staff", "SELECT SUM(years) FROM staff", "1", "denied")
cut = ask("ada", "staff", "SELECT COUNT(*) FROM staff WHERE UPPER(name) LIKE '%N%1%' AND EXP(years) > 3 OR EXP(years + 1) < 2",
          "1", "cut")
run("approve", approved, *token("olga"))
run("deny", denied, "--reason", "too dear", *token("olga"))
ask("ada", "visits", "SELECT COUNT(*) FROM visits", "9", "dear")
run("data", "synthesize", "visits", "--epsilon", "1", "--site", site)
approving = subprocess.Popen([parley, "approve", cut, *token("olga")], stderr=subprocess.DEVNULL, cwd=work)
time.sleep(0.7)
server.send_signal(signal.SIGKILL)
approving.wait()
making = subprocess.Popen([parley, "data", "synthesize", "stays", "--epsilon", "0.5", "--site", site], stderr=subprocess.PIPE)
making.stderr.readline()
making.send_signal(signal.SIGKILL)
making.wait()
print(run("verify", "--site", site))
database = sqlite3.connect(f"{site}/parley.sqlite")
database.execute("PRAGMA wal_checkpoint(TRUNCATE)")
known = {
    "written": database.execute("SELECT max(created) FROM requests").fetchone()[0],
    "first": database.execute("SELECT id FROM requests WHERE key = 'first'").fetchone()[0],
    "pending": pending, "cut": cut,
    "states": [row[0] for row in database.execute("SELECT state FROM requests ORDER BY number DESC")],
    "spent": dict(database.execute("SELECT name, spent_amount FROM populations")),
}
database.close()
for leftover in ["parley.sqlite-shm", "parley.sqlite-wal", "server.lock"]:
    pathlib.Path(site, leftover).unlink(missing_ok=True)
shutil.copytree(site, here / name, dirs_exist_ok=True)
(here / f"{name}.json").write_text(json.dumps(known, indent=2) + "\n")
shutil.rmtree(work)
