-- title           = "Person gave a launch template other user data"
-- severity        = "medium"
-- tags            = ["attack.persistence", "attack.execution", "attack.t1578.005", "attack.t1059", "attack.t1525"]
-- remedy          = "Read the user data of the version (DescribeLaunchTemplateVersions): every instance that starts from it runs it as root. Set the default version back if nobody claims it."
-- false_positives = "Operators at work."
SELECT eventTime,
       eventName,
       sourceIPAddress,
       userAgent,
       coalesce(json_get_str(requestParameters, 'CreateLaunchTemplateVersionRequest', 'LaunchTemplateId'), json_get_str(requestParameters, 'CreateLaunchTemplateVersionRequest', 'LaunchTemplateName')) AS resource
FROM cloudtrail
WHERE eventSource = 'ec2.amazonaws.com'
  AND eventName = 'CreateLaunchTemplateVersion'
  AND json_contains(requestParameters, 'CreateLaunchTemplateVersionRequest', 'LaunchTemplateData', 'UserData')
  AND errorCode IS NULL
  AND userIdentity.invokedBy IS NULL
  AND NOT is_infrastructure_tool()
  AND is_by_hand()
