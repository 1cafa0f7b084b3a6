package app

import (
	"slices"

	"pocketid/internal/edge"
)

// Routes is every address that the server answers, and who may use it. The
// pages list their own, one file a page; the golden file of this package shows
// all of them on one screen.
func (a *App) Routes() []edge.Route {
	return slices.Concat(a.health(), a.protocol(), a.Web.Routes(), a.API.Routes())
}

// health are the addresses for those who run the server.
func (a *App) health() []edge.Route {
	return []edge.Route{
		{Pattern: "GET /healthz", Access: edge.Open, Surface: edge.Problem, Limit: edge.LimitNone, Handler: a.healthz},
		{Pattern: "GET /readyz", Access: edge.Open, Surface: edge.Problem, Limit: edge.LimitNone, Handler: a.readyz},
	}
}

// protocol are the addresses for applications.
func (a *App) protocol() []edge.Route {
	p := a.OIDC
	return []edge.Route{
		{Pattern: "GET /.well-known/openid-configuration", Access: edge.Open, Surface: edge.Problem, CORS: true, Handler: p.Discovery},
		{Pattern: "GET /.well-known/oauth-authorization-server", Access: edge.Open, Surface: edge.Problem, CORS: true, Handler: p.Discovery},
		{Pattern: "GET /.well-known/jwks.json", Access: edge.Open, Surface: edge.Problem, CORS: true, Handler: p.JWKS},

		{Pattern: "GET /authorize", Access: edge.Protocol, Surface: edge.Page, Handler: p.Authorize},
		{Pattern: "POST /authorize", Access: edge.Protocol, Surface: edge.Page, Handler: p.Authorize},
		{Pattern: "GET /authorize/next", Access: edge.Public, Surface: edge.Page, Handler: p.Next},

		{Pattern: "POST /api/oidc/par", Access: edge.Protocol, Surface: edge.OAuth, Limit: edge.LimitToken, Handler: p.Push},
		{Pattern: "POST /api/oidc/token", Access: edge.Protocol, Surface: edge.OAuth, Limit: edge.LimitToken, CORS: true, Handler: p.Token},
		{Pattern: "POST /api/oidc/device/authorize", Access: edge.Protocol, Surface: edge.OAuth, Limit: edge.LimitToken, CORS: true, Handler: p.DeviceAuthorize},
		{Pattern: "POST /api/oidc/register", Access: edge.Protocol, Surface: edge.OAuth, Limit: edge.LimitToken, CORS: true, Handler: p.Register},
		{Pattern: "GET /api/oidc/register/{client}", Access: edge.Protocol, Surface: edge.OAuth, Limit: edge.LimitToken, Handler: p.Registered},
		{Pattern: "PUT /api/oidc/register/{client}", Access: edge.Protocol, Surface: edge.OAuth, Limit: edge.LimitToken, Handler: p.Reregister},
		{Pattern: "DELETE /api/oidc/register/{client}", Access: edge.Protocol, Surface: edge.OAuth, Limit: edge.LimitToken, Handler: p.Deregister},
		{Pattern: "POST /api/oidc/introspect", Access: edge.Protocol, Surface: edge.OAuth, Limit: edge.LimitToken, Handler: p.Introspect},
		{Pattern: "POST /api/oidc/revoke", Access: edge.Protocol, Surface: edge.OAuth, Limit: edge.LimitToken, CORS: true, Handler: p.Revoke},
		{Pattern: "GET /api/oidc/clients/{id}/background", Access: edge.Open, Surface: edge.Problem, Handler: p.Background},
		{Pattern: "GET /api/oidc/clients/{id}/logo", Access: edge.Open, Surface: edge.Problem, Handler: p.Logo},
		{Pattern: "GET /api/oidc/userinfo", Access: edge.Protocol, Surface: edge.Bearer, CORS: true, Handler: p.Userinfo},
		{Pattern: "POST /api/oidc/userinfo", Access: edge.Protocol, Surface: edge.Bearer, CORS: true, Handler: p.Userinfo},
		{Pattern: "GET /api/oidc/end-session", Access: edge.Protocol, Surface: edge.Page, Handler: p.EndSession},
		{Pattern: "POST /api/oidc/end-session", Access: edge.Protocol, Surface: edge.Page, Handler: p.EndSession},
	}
}
