-- title           = "Very large network was added to a prefix list that security groups may name"
-- severity        = "medium"
-- tags            = ["attack.defense_evasion", "attack.t1562.007", "attack.persistence", "attack.t1133"]
-- remedy          = "Take the entry out again (RestoreManagedPrefixListVersion); every security group and route that names the list changed with it."
-- false_positives = "A list for outgoing traffic."
SELECT eventTime,
       eventName,
       coalesce(requestParameters -> 'ModifyManagedPrefixListRequest' ->> 'AddEntry', requestParameters -> 'CreateManagedPrefixListRequest' ->> 'Entry') AS entries,
       sourceIPAddress,
       userAgent,
       coalesce(requestParameters -> 'ModifyManagedPrefixListRequest' ->> 'PrefixListId', requestParameters -> 'CreateManagedPrefixListRequest' ->> 'PrefixListName') AS resource
FROM cloudtrail
WHERE eventSource = 'ec2.amazonaws.com'
  AND eventName IN ('ModifyManagedPrefixList', 'CreateManagedPrefixList')
  AND regexp_like(coalesce(requestParameters -> 'ModifyManagedPrefixListRequest' ->> 'AddEntry', requestParameters -> 'CreateManagedPrefixListRequest' ->> 'Entry'), '"[0-9.]+/[0-7]"|"[0-9a-fA-F:]+/[0-3]"')
  AND NOT (is_infrastructure_tool() AND NOT is_person())
  AND errorCode IS NULL
  AND userIdentity.invokedBy IS NULL
