-- title    = "Cloud desktops were opened to every address, or a person made a link into one"
-- severity = "medium"
-- tags     = ["attack.initial_access", "attack.t1133", "attack.persistence", "attack.lateral_movement", "attack.t1021.007"]
-- remedy   = "Take the rule back; end the session of the link (ExpireSession), and see what was done in it."
SELECT eventTime,
       eventName,
       sourceIPAddress,
       userAgent,
       coalesce(requestParameters ->> 'groupId', requestParameters ->> 'groupName', requestParameters ->> 'stackName', requestParameters ->> 'directoryId') AS resource
FROM cloudtrail
WHERE eventSource IN ('workspaces.amazonaws.com', 'appstream.amazonaws.com')
  AND eventName IN ('AuthorizeIpRules', 'CreateIpGroup', 'UpdateRulesOfIpGroup', 'DisassociateIpGroups', 'CreateStreamingURL')
  AND (regexp_like(requestParameters ->> 'userRules', '"[0-9.]+/[0-7]"')
       -- without a group every address is let in
       OR eventName = 'DisassociateIpGroups'
          AND is_by_hand()
       OR eventName = 'CreateStreamingURL'
          AND sessionCredentialFromConsole IS NOT TRUE
          AND is_by_hand())
  AND errorCode IS NULL
  AND userIdentity.invokedBy IS NULL
