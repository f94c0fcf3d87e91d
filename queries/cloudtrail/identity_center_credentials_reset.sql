-- title           = "Password or MFA device of an IAM Identity Center user was changed by somebody else"
-- severity        = "medium"
-- tags            = ["attack.persistence", "attack.credential_access", "attack.t1098", "attack.t1556.006", "attack.t1556.009"]
-- remedy          = "Ask the user whether it asked for it; end its sessions, and have it sign in anew with a device of its own."
-- false_positives = "A help desk at work."
SELECT eventTime,
       eventName,
       sourceIPAddress,
       userAgent,
       coalesce(requestParameters ->> 'userId', account) AS resource,
       CASE WHEN eventName = 'UpdateUser' THEN 'E-mail address or name of an IAM Identity Center user was changed by hand'
            ELSE 'Password or MFA device of an IAM Identity Center user was changed by somebody else' END AS title
FROM cloudtrail
WHERE eventSource IN ('sso-directory.amazonaws.com', 'sso.amazonaws.com', 'identitystore.amazonaws.com')
  AND eventName IN ('UpdatePassword', 'DeleteMfaDeviceForUser', 'UpdateMfaDeviceManagementForDirectory', 'PutMfaDeviceManagementForDirectory', 'UpdateUser')
  -- where the next password is sent to
  AND (eventName <> 'UpdateUser'
       OR regexp_like(requestParameters ->> 'operations', '"attributePath"\s*:\s*"(emails|userName)')
          AND is_by_hand()
          AND NOT is_infrastructure_tool())
  AND errorCode IS NULL
  AND userIdentity.invokedBy IS NULL
