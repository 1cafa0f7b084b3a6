package web

import (
	"net/http"
	"strings"

	"pocketid/internal/edge"
	"pocketid/internal/oidc"
)

// An exchangeLine is a client whose tokens another one may exchange.
type exchangeLine struct {
	oidc.Exchange
	Badge Avatar
	Path  string
}

func (x *Web) exchangesOf(r *http.Request, id string) (list []exchangeLine, err error) {
	all, err := x.oidc.Exchanges(r.Context(), actor(r), id)
	for _, e := range all {
		list = append(list, exchangeLine{e, avatarOf(e.Name, e.ClientID), clientPath(e.ClientID)})
	}
	return list, err
}

// exchangeAdd lets a client exchange the tokens of another one.
func (x *Web) exchangeAdd(w http.ResponseWriter, r *http.Request) error {
	return x.changeExchange(w, r, func(c *oidc.Client, from string) (string, error) {
		return "flash.exchange_allowed", x.oidc.AllowExchange(r.Context(), actor(r), c.ID, from)
	})
}

// exchangeEnd takes that back.
func (x *Web) exchangeEnd(w http.ResponseWriter, r *http.Request) error {
	return x.changeExchange(w, r, func(c *oidc.Client, from string) (string, error) {
		return "flash.exchange_ended", x.oidc.ForbidExchange(r.Context(), actor(r), c.ID, from)
	})
}

func (x *Web) changeExchange(w http.ResponseWriter, r *http.Request, change func(c *oidc.Client, from string) (string, error)) error {
	form, err := edge.Form(r)
	if err != nil {
		return err
	}
	c, err := x.oidc.Client(r.Context(), actor(r), r.PathValue("id"))
	if err != nil {
		return err
	}
	from := strings.TrimSpace(form.Get("from"))
	done, err := change(&c, from)
	if err != nil {
		if problem := x.problem(r, err); problem != nil {
			return x.showClient(w, r, &c, clientView{form: clientFormOf(&c), problem: problem, tab: "apis", from: from[:min(len(from), maxTold)]})
		}
		return err
	}
	flash(w, r, done)
	return seeOther(w, clientPath(c.ID)+"#apis")
}
