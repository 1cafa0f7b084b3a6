// Package kill ends the built server by SIGKILL at random moments, under sign-ins, code
// flows, refreshes, changes and sign-outs, and asks after each restart whether everything
// that was acknowledged is there and nothing that works once works twice.
//
//	make kill-test                  100 kills on SQLite
//	make kill-test KILLS=20         fewer
//	make kill-test KILL_SEED=7      the same choices again (the moments are those of the machine)
//	make kill-test KILL_POSTGRES=postgres://…   on PostgreSQL too; the database lives on
//	make ha-test                    several processes behind nginx, for five minutes each (HA_SECONDS)
//
// Replicas die and are replaced behind a proxy while people work, and their PostgreSQL goes
// away, comes back, or leaves its place to another one.
//
// A kill does not take away what the operating system has not written yet, so this cannot
// tell whether a commit waits for the disk. That SQLite does so (synchronous=FULL on the
// connection that writes) is asked by the server itself at each start, which refuses
// otherwise, and by a test of internal/db.
package kill
