package api

import (
	"strings"

	"pocketid/internal/fault"
	"pocketid/internal/jobs"
	"pocketid/internal/oidc"
)

// What programs know faults about applications by.
var (
	errClientExists  = fault.New(fault.Conflict, "client_id_already_exists")
	errDeviceCode    = fault.New(fault.Invalid, "oidc_invalid_device_code")
	errDeviceExpired = fault.New(fault.Invalid, "oidc_device_code_expired")
	errAccessDenied  = fault.New(fault.Forbidden, "oidc_access_denied")
)

// stands are the faults that programs know, for the codes of ours that they stand for.
var stands = map[string]*fault.Error{
	oidc.ErrClientIDTaken.Code: errClientExists,
	oidc.ErrResourceTaken.Code: errInUse.With("property", "Resource"),

	oidc.ErrNoClient.Code:                 errNotFound.With("resource", "OIDC client"),
	oidc.ErrSecretNotFound.Code:           errNotFound.With("resource", "Client secret"),
	oidc.ErrNoAPI.Code:                    errNotFound.With("resource", "API"),
	oidc.ErrNoExchange.Code:               errNotFound.With("resource", "Token exchange"),
	oidc.ErrNoConsent.Code:                errNotFound.With("resource", "Authorized client"),
	oidc.ErrRegistrationTokenUnknown.Code: errNotFound.With("resource", "Registration token"),
	oidc.ErrKeyUnknown.Code:               errNotFound.With("resource", "Signing key"),
	jobs.ErrNotResting.Code:               errNotFound.With("resource", "Job"),

	oidc.ErrDeviceCode.Code:      errDeviceCode,
	oidc.ErrDeviceElsewhere.Code: errDeviceCode,
	oidc.ErrDeviceUsed.Code:      errDeviceCode,
	oidc.ErrDeviceExpired.Code:   errDeviceExpired,
	oidc.ErrDeviceDenied.Code:    errAccessDenied,
	oidc.ErrDeviceProof.Code:     errProof,
}

// membersOf are the members of JSON for fields that the domain calls otherwise.
var membersOf = map[string]string{
	"redirect_uris": "callbackURLs", "post_logout_uris": "logoutCallbackURLs", "launch_url": "launchURL", "public": "isPublic", "pkce_required": "pkceEnabled",
	"allowed_groups": "userGroupIds", "federated": "credentials.federatedIdentities", "id_token_alg": "idTokenSigningAlg", "access_token_alg": "accessTokenSigningAlg",
	"userinfo_alg": "userinfoSigningAlg", "request_object_alg": "requestObjectSigningAlg", "assertion_alg": "assertionSigningAlg", "jwks_uri": "jwksURL",
	"refresh_issue": "refreshTokenIssue", "refresh_rotation": "refreshTokenRotation", "access_token_lifetime": "accessTokenDurationMinutes",
	"id_token_lifetime": "idTokenDurationMinutes", "refresh_token_lifetime": "refreshTokenDurationMinutes", "refresh_max_lifetime": "refreshTokenMaxDurationMinutes",
	"default_max_age": "defaultMaxAgeSeconds", "auth_time_required": "requiresAuthTime", "backchannel_logout": "backchannelLogoutURL",
	"frontchannel_logout": "frontchannelLogoutURL", "initiate_login": "initiateLoginURL", "client_uri": "websiteURL", "logo_uri": "remoteLogoURL",
	"policy_uri": "policyURL", "tos_uri": "termsURL", "request_uris": "requestURLs", "accent": "accentColor", "introspector": "introspectionClientId",
	"for_machine": "clientAccess", "for_users": "userDelegatedAccess", "user_permissions": "userDelegatedPermissionIds", "machine_permissions": "clientPermissionIds",
	"uses": "usageLimit", "expires": "expiresAt",
}

// inPermissions are what a permission calls what the domain calls otherwise.
var inPermissions = strings.NewReplacer("].name", "].key", "].title", "].name")

// memberOf is the name of a field as JSON has it.
func memberOf(field string) string {
	name, rest := field, ""
	if i := strings.IndexAny(field, "[."); i >= 0 {
		name, rest = field[:i], field[i:]
	}
	if name == "permissions" {
		return name + inPermissions.Replace(rest)
	}
	if member, ok := membersOf[name]; ok {
		return member + rest
	}
	return camel(field)
}

// refusedAs is the code of why somebody may not use a client.
func refusedAs(err error) *string {
	code := fault.Of(err).Code
	return &code
}
