-- title           = "Every instance of a Region was given a role of somebody's choice"
-- severity        = "medium"
-- tags            = ["attack.persistence", "attack.privilege_escalation", "attack.t1098.003", "attack.lateral_movement", "attack.t1651"]
-- remedy          = "Look at the policies of the role. Set the service's own role again (AWSSystemsManagerDefaultEC2InstanceManagementRole), or reset the setting, and see which commands and sessions instances got since."
-- false_positives = "A role of your own for Default Host Management Configuration."
-- description     = "Systems Manager's Default Host Management Configuration gives credentials to each instance that has no profile of its own. By it all of them can be entered through Systems Manager, with the rights of the role."
SELECT eventTime,
       requestParameters ->> 'settingValue' AS role,
       sourceIPAddress,
       userAgent,
       requestParameters ->> 'settingValue' AS resource
FROM cloudtrail
WHERE eventSource = 'ssm.amazonaws.com'
  AND eventName = 'UpdateServiceSetting'
  AND requestParameters ->> 'settingId' LIKE '%/ssm/managed-instance/default-ec2-instance-management-role'
  AND NOT regexp_like(requestParameters ->> 'settingValue', '^([$]None|(service-role/)?AWSSystemsManagerDefaultEC2InstanceManagementRole)$')
  AND errorCode IS NULL
