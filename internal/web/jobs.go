package web

import (
	"net/http"
	"net/url"
	"time"

	"pocketid/internal/i18n"
	"pocketid/internal/jobs"
)

const jobsPath = overviewPath + "/jobs"

// jobsPage lists the jobs that gave up.
type jobsPage struct {
	Frame
	Jobs []jobLine
	More bool // there are others
}

// A jobLine is such a job in words.
type jobLine struct {
	ID, Kind    string
	Title, Text string
	Error       string // what it failed with, for those who know the program
	Tries       int
	At          time.Time // when it was tried last
	Path        string
}

// jobKinds are the kinds of which the pages have words of their own: what is not done
// while such a job rests.
var jobKinds = map[string]string{
	"oidc.tell_client": "tell", "oidc.session_ended": "ended", "oidc.user_out": "out", "oidc.client_out": "out", "oidc.client_deleted": "out",
	"oidc.user_purged": "purge", "signin.user_purged": "purge", "user.purge": "purge", "user.expire": "expire", "signin.user_changed": "out",
}

func jobLineOf(words *i18n.Locale, j *jobs.Job) jobLine {
	kind := jobKinds[j.Kind]
	if kind == "" {
		kind = "other"
	}
	return jobLine{ID: j.ID, Kind: j.Kind, Title: words.T("job." + kind + ".title"), Text: words.T("job." + kind), Error: j.Error,
		Tries: j.Tries, At: j.RunAt, Path: jobsPath + "/" + url.PathEscape(j.ID)}
}

func (x *Web) jobs(w http.ResponseWriter, r *http.Request) error {
	words := x.words(r)
	list, err := x.overview.Resting(r.Context(), actor(r))
	if err != nil {
		return err
	}
	p := jobsPage{Frame: Frame{Title: words.T("jobs.title"), Area: "admin", Here: "overview", Narrow: true}, More: len(list) >= jobs.MaxResting}
	for i := range list {
		p.Jobs = append(p.Jobs, jobLineOf(words, &list[i]))
	}
	return x.show(w, r, "jobs", &p)
}

func (x *Web) jobAgain(w http.ResponseWriter, r *http.Request) error {
	if err := x.overview.TryAgain(r.Context(), actor(r), r.PathValue("id")); err != nil {
		return err
	}
	flash(w, r, "flash.job_again")
	return seeOther(w, jobsPath)
}

// jobForgetPage asks before a job is dropped.
type jobForgetPage struct {
	Frame
	Job jobLine
}

func (x *Web) jobQuestion(w http.ResponseWriter, r *http.Request) error {
	list, err := x.overview.Resting(r.Context(), actor(r))
	if err != nil {
		return err
	}
	words := x.words(r)
	for i := range list {
		if list[i].ID == r.PathValue("id") {
			p := jobForgetPage{Frame: Frame{Title: words.T("jobs.forget.title"), Area: "admin", Here: "overview", Narrow: true}, Job: jobLineOf(words, &list[i])}
			return x.show(w, r, "job-forget", &p)
		}
	}
	return jobs.ErrNotResting
}

func (x *Web) jobForget(w http.ResponseWriter, r *http.Request) error {
	if err := x.overview.Forget(r.Context(), actor(r), r.PathValue("id")); err != nil {
		return err
	}
	flash(w, r, "flash.job_forgotten")
	return seeOther(w, jobsPath)
}
