package api

import (
	"context"
	"net/http"
	"strconv"

	"pocketid/internal/edge"
	"pocketid/internal/settings"
)

func (a *API) configOperations() []Operation {
	return []Operation{
		open("GET /api/application-configuration", "Lists the settings that everybody may know.", a.configPublic).answers(http.StatusOK, []setting{}),
		admins("GET /api/application-configuration/all", "settings:read", "Lists all settings. Of a secret there is a mask alone.", a.configAll).answers(http.StatusOK, []setting{}).holds(a.configState),
		admins("PUT /api/application-configuration", "settings:write", "Sets all settings: what is left out or empty is as it was at first.", a.configSet).
			takes(map[string]string{}).answers(http.StatusOK, []setting{}).holds(a.configState),
	}
}

// A setting is a setting as programs know it.
type setting struct {
	Key   string `json:"key"`
	Type  string `json:"type"`
	Value string `json:"value"`
}

func settingsOf(s settings.Settings, public func(settings.Text) bool) []setting {
	list := []setting{}
	for _, t := range s.Texts() {
		if public(t) {
			list = append(list, setting{t.Key, t.Type, t.Value})
		}
	}
	return list
}

func (a *API) configPublic(w http.ResponseWriter, r *http.Request) error {
	s, err := a.settings(r.Context())
	if err != nil {
		return err
	}
	list := settingsOf(s, func(t settings.Text) bool { return t.Public })
	return edge.WriteJSON(w, http.StatusOK, append(list, setting{"uiConfigDisabled", "boolean", strconv.FormatBool(s.Locked)}, setting{"tracingEnabled", "boolean", "false"}))
}

func everySetting(settings.Text) bool { return true }

func (a *API) configAll(w http.ResponseWriter, r *http.Request) error {
	s, err := a.settings(r.Context())
	if err != nil {
		return err
	}
	return writeObject(w, r, http.StatusOK, settingsOf(s, everySetting))
}

// configState are all settings as GET answers them: of a secret, whether there is one.
func (a *API) configState(ctx context.Context, _ *http.Request, check func(any) error) context.Context {
	return a.keeper.When(ctx, func(s settings.Settings) error { return check(settingsOf(s, everySetting)) })
}

func (a *API) configSet(w http.ResponseWriter, r *http.Request) error {
	var in map[string]string
	if err := edge.ReadJSON(r, &in); err != nil {
		return err
	}
	s, err := a.keeper.Replace(r.Context(), actor(r), in)
	if err != nil {
		return err
	}
	return edge.WriteJSON(w, http.StatusOK, settingsOf(s, everySetting))
}
