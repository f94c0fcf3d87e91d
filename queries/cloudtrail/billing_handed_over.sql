-- title    = "Another organization was asked to take over, or gave back, the bills"
-- severity = "medium"
-- tags     = ["attack.impact", "attack.t1496", "attack.t1657", "attack.persistence", "attack.t1666"]
-- remedy   = "Ask whoever pays. A transfer that nobody knows of hides what is spent: cancel the handshake, or end the transfer (TerminateResponsibilityTransfer)."
SELECT eventTime,
       eventName,
       sourceIPAddress,
       userAgent,
       requestParameters -> 'target' ->> 'id' AS resource
FROM cloudtrail
WHERE eventSource = 'organizations.amazonaws.com'
  AND eventName IN ('InviteOrganizationToTransferResponsibility', 'TerminateResponsibilityTransfer')
  AND errorCode IS NULL
