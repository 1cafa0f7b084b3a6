package web

import (
	"net/http"

	"pocketid/internal/oidc"
)

// clientSwitchPage asks before a client is disabled, or enabled again.
type clientSwitchPage struct {
	Frame
	Name   string
	Client string
	Enable bool
}

func (x *Web) clientDisable(w http.ResponseWriter, r *http.Request) error {
	return x.askSwitch(w, r, "client_disable.title", clientSwitchPage{})
}

func (x *Web) clientEnable(w http.ResponseWriter, r *http.Request) error {
	return x.askSwitch(w, r, "client_enable.title", clientSwitchPage{Enable: true})
}

func (x *Web) askSwitch(w http.ResponseWriter, r *http.Request, title string, p clientSwitchPage) error {
	c, err := x.oidc.Client(r.Context(), actor(r), r.PathValue("id"))
	if err != nil {
		return err
	}
	p.Frame = Frame{Title: x.words(r).T(title, "name", c.Name), Area: "admin", Here: "clients", Narrow: true}
	p.Name, p.Client = c.Name, clientPath(c.ID)
	return x.show(w, r, "client-switch", &p)
}

func (x *Web) clientDisabled(w http.ResponseWriter, r *http.Request) error {
	c, err := x.oidc.DisableClient(r.Context(), actor(r), r.PathValue("id"))
	return switched(w, r, &c, err, "flash.client_disabled")
}

func (x *Web) clientEnabled(w http.ResponseWriter, r *http.Request) error {
	c, err := x.oidc.EnableClient(r.Context(), actor(r), r.PathValue("id"))
	return switched(w, r, &c, err, "flash.client_enabled")
}

func switched(w http.ResponseWriter, r *http.Request, c *oidc.Client, err error, said string) error {
	if err != nil {
		return err
	}
	flash(w, r, said, "name", c.Name)
	return seeOther(w, clientPath(c.ID))
}

// clientRefresh reads the document of a client anew.
func (x *Web) clientRefresh(w http.ResponseWriter, r *http.Request) error {
	c, err := x.oidc.RefreshDocument(r.Context(), actor(r), r.PathValue("id"))
	if err == nil {
		flash(w, r, "flash.client_refreshed")
		return seeOther(w, clientPath(c.ID))
	}
	problem := x.problem(r, err)
	if problem == nil {
		return err
	}
	if c, err = x.oidc.Client(r.Context(), actor(r), r.PathValue("id")); err != nil {
		return err
	}
	problem.Field = ""
	return x.showClient(w, r, &c, clientView{form: clientFormOf(&c), problem: problem})
}
