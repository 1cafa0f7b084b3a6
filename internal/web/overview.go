package web

import (
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"time"

	"pocketid/internal/audit"
	"pocketid/internal/edge"
	"pocketid/internal/i18n"
	"pocketid/internal/overview"
)

const (
	overviewPath = "/settings/admin"
	// chartDays is how many days the chart of sign-ins shows.
	chartDays = 30
)

func (x *Web) overviewRoutes() []edge.Route {
	return []edge.Route{
		page("GET "+overviewPath, edge.Admin, x.glance),
		page("GET "+jobsPath, edge.Admin, x.jobs),
		page("POST "+jobsPath+"/{id}/again", edge.Admin, x.jobAgain),
		page("GET "+jobsPath+"/{id}/forget", edge.Admin, x.jobQuestion),
		page("POST "+jobsPath+"/{id}/forget", edge.Admin, x.jobForget),
	}
}

// overviewPage is the first page of the administration.
type overviewPage struct {
	Frame
	Checks []checkLine
	Wrong  int // how many of them deserve a look
	Chart  chart
	Today  figure
	Active figure
	Users  string // how many people may come in
	Single figure
}

// A figure is a number and the list that it counts; "" is that there is none.
type figure struct{ Number, List string }

// A checkLine is a check in words.
type checkLine struct {
	State, Icon       string
	Title, Text, Cure string
	// Page is where more of it is.
	Page string
	// Other is what stands there instead when the browser is not where APP_URL says.
	Other *checkLine
	URL   string // APP_URL, for the browser to compare
}

// checkIcons are the icons of the checks.
var checkIcons = map[string]string{
	"address": "link", "secure": "lock", "proxy": "globe", "key": "key", "signing": "shield", "jobs": "sync",
	"database": "server", "clock": "clock", "disk": "download", "version": "info",
}

func (x *Web) glance(w http.ResponseWriter, r *http.Request) error {
	ctx, words, by := r.Context(), x.words(r), actor(r)
	found, err := x.overview.Checks(ctx, by, edge.WayOf(ctx))
	if err != nil {
		return err
	}
	days, err := x.audit.SignIns(ctx, by, chartDays)
	if err != nil {
		return err
	}
	figures, err := x.overview.Figures(ctx, by)
	if err != nil {
		return err
	}
	p := overviewPage{Frame: Frame{Title: words.T("overview.title"), Area: "admin", Here: "overview", Modules: []string{"overview.js"}}, Chart: chartOf(words, days)}
	for i := range found {
		p.Checks = append(p.Checks, checkLineOf(words, &found[i]))
		if found[i].State != overview.OK {
			p.Wrong++
		}
		if found[i].Name == "address" && found[i].Finding == "same" {
			last := &p.Checks[len(p.Checks)-1]
			other := checkLineOf(words, &overview.Check{Name: "address", Finding: "elsewhere", State: overview.Bad, Params: []any{"app_url", x.public.String()}})
			last.Other, last.URL = &other, x.public.String()
		}
	}
	today := days.Today()
	p.Today = figure{words.Number(int64(today.In)), logOf(audit.SignedIn, today.At)}
	p.Active = figure{countOf(words, figures.Active), usersPath + "?sort=-seen"}
	p.Users = countOf(words, figures.Everybody)
	p.Single = figure{Number: countOf(words, figures.Single)}
	return x.show(w, r, "overview", &p)
}

// logOf is the log of one day and one outcome.
func logOf(f audit.Family, day time.Time) string {
	date := day.Format(time.DateOnly)
	return auditPath + "?" + url.Values{"event": {string(f)}, "from": {date}, "until": {date}}.Encode()
}

// countOf is a number that was counted up to a bound.
func countOf(words *i18n.Locale, n int) string {
	if n >= overview.MaxCount {
		return words.Number(int64(n)) + "+"
	}
	return words.Number(int64(n))
}

func checkLineOf(words *i18n.Locale, c *overview.Check) checkLine {
	said := c.Say(words)
	l := checkLine{State: string(c.State), Icon: checkIcons[c.Name], Title: said.Title, Text: said.Text, Cure: said.Cure}
	if c.Name == "jobs" && c.State != overview.OK {
		l.Page = jobsPath
	}
	return l
}

// A chart is the sign-ins of some days: bars for those who see it and a table for
// everybody.
type chart struct {
	Bars    []bar
	Label   string // what it shows, in a sentence
	Partial bool
	Empty   bool
}

// A bar is a day. Its places are in the units of the picture.
type bar struct {
	Day                       time.Time
	In, Away                  int
	X, W, Y, H, AwayY, AwayH  string
	InList, AwayList, Caption string
}

// The picture: its size, and what is left free for the line below.
const (
	chartWidth  = 600
	chartHeight = 110
)

// Newest are the days, today first.
func (c chart) Newest() []bar {
	days := slices.Clone(c.Bars)
	slices.Reverse(days)
	return days
}

func chartOf(words *i18n.Locale, days audit.Chart) chart {
	c := chart{Partial: days.Partial}
	most, mostIn, least, away, all := 0, 0, -1, 0, 0
	for _, d := range days.Days {
		most, mostIn = max(most, d.In+d.Away), max(mostIn, d.In)
		if least < 0 || d.In < least {
			least = d.In
		}
		away, all = away+d.Away, all+d.In
	}
	c.Empty = most == 0
	step := float64(chartWidth) / float64(len(days.Days))
	unit := func(v float64) string { return strconv.FormatFloat(v, 'f', 1, 64) }
	for i, d := range days.Days {
		b := bar{Day: d.At, In: d.In, Away: d.Away, X: unit(float64(i)*step + step*0.15), W: unit(step * 0.7),
			InList: logOf(audit.SignedIn, d.At), AwayList: logOf(audit.TurnedAway, d.At),
			Caption: words.T("overview.chart.day", "date", words.Date(d.At), "in", words.T("overview.chart.in", "n", d.In), "away", words.T("overview.chart.away", "n", d.Away))}
		const room, gap = chartHeight - 4, 2.0
		high := func(n int) float64 { // what is there is seen
			if n == 0 {
				return 0
			}
			return max(float64(n)/float64(most)*(room-gap-6), 3)
		}
		in, out := high(d.In), high(d.Away)
		if in > 0 {
			b.Y, b.H = unit(chartHeight-in), unit(in)
		}
		if out > 0 {
			b.AwayY, b.AwayH = unit(chartHeight-in-gap-out), unit(out)
		}
		c.Bars = append(c.Bars, b)
	}
	first, last := days.Days[0].At, days.Today().At
	c.Label = words.T("overview.chart.label", "from", words.Date(first), "until", words.Date(last), "least", max(least, 0), "most", mostIn, "all", all, "away", away)
	return c
}
